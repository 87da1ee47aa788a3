//! `naq schedule`: recurring work.

mod preview;
mod show_firings;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliError;

/// Recurring work: preview when it is due
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Preview(preview::Args),
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    match args.action {
        Action::Preview(args) => preview::run(context, &args),
    }
}
