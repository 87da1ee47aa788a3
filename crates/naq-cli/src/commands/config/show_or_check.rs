//! `naq system config`, the old name of `naq config show` and `naq config validate`.

use super::{check, show};
use crate::context::Context;
use crate::error::CliError;

/// Show the configuration, or check it: the same as `naq config show` and `naq config validate`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// Check instead: all problems are told at once, and the exit code is 3 if there is one
    #[arg(long, conflicts_with_all = ["origin", "changed"])]
    validate: bool,

    #[command(flatten)]
    show: show::Args,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<(), CliError> {
    match args.validate {
        true => check::run(context, &check::Args::of_all_files(args.show.json)),
        false => show::run(context, &args.show),
    }
}
