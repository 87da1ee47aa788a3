//! Which verb.

use clap::Subcommand;

use super::{check, init, show};
use crate::context::Context;
use crate::error::CliError;

/// Write, show or check the configuration
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Init(init::Args),
    Show(show::Args),
    Validate(check::Args),
    /// Print the JSON Schema of the configuration file, for editors
    Schema,
}

pub(crate) fn run(context: &Context, args: Args) -> Result<(), CliError> {
    match args.verb {
        Verb::Init(args) => init::run(context, &args),
        Verb::Show(args) => show::run(context, &args),
        Verb::Validate(args) => check::run(context, &args),
        Verb::Schema => {
            let text = serde_json::to_string_pretty(&naq::config::json_schema());
            Ok(context.output.line(text.map_err(std::io::Error::other)?)?)
        }
    }
}
