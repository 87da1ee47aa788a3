//! `naq completion`: a script for the shell.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::context::Context;
use crate::error::CliError;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "For bash: naq completion bash > ~/.local/share/bash-completion/completions/naq"
)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run<App: CommandFactory>(context: &Context, args: Args) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut App::command(), "naq", &mut script);
    Ok(context.output.bytes(&script)?)
}
