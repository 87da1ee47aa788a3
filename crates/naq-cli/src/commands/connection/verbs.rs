//! Which verb.

use clap::Subcommand;

use super::{doctor, measure, test, wait, watch};
use crate::context::Context;
use crate::error::CliError;
use crate::logging::{self, Level};

/// Look at the connection: try it, wait for it, measure it, watch it, find out what is wrong
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Test(test::Args),
    Wait(wait::Args),
    Measure(measure::Args),
    Watch(watch::Args),
    Doctor(doctor::Args),
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    context.start_logging(Level::Warn, logging::ERRORS_ARE_SHOWN);
    match args.verb {
        Verb::Test(args) => test::run(context, &args).await,
        Verb::Wait(args) => wait::run(context, &args).await,
        Verb::Measure(args) => measure::run(context, &args).await,
        Verb::Watch(args) => watch::run(context, &args).await,
        Verb::Doctor(args) => doctor::run(context, &args).await,
    }
}
