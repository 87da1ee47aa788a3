//! `naq top`: a live view of queues, workers and failures.
//!
//! ```text
//!   live ──► feed ──► model (pure: rates, order) ──► view (pure: a frame of any size)
//! ```

mod feed;
mod live;
mod model;
mod view;

use std::time::Duration;

use crate::context::Context;
use crate::duration::parse_positive;
use crate::error::CliError;
use crate::logging::{self, Level};

use feed::Feed;
use model::Model;

/// Show queues, workers and the last failures, live
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Keys: q ends it. It goes on when the server comes back. A look costs the server at most a tenth of the time.

Examples:
  naq top
  naq top --once              one frame, as text
  naq top --json | jq .queues")]
pub(crate) struct Args {
    /// Time between two looks
    #[arg(short, long, value_name = "TIME", default_value = "1s", value_parser = parse_positive)]
    interval: Duration,

    /// Print one frame, and end
    #[arg(long)]
    once: bool,

    /// Print one look as JSON, and end: `{"queues", "workers", "failures"}`
    #[arg(long)]
    json: bool,
}

/// Size of a frame that is printed where there is no terminal.
const PRINTED: (u16, u16) = (120, 40);

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    context.start_logging(Level::Error, logging::ERRORS_ARE_SHOWN);
    let settings = context.settings()?;
    if args.json || args.once {
        let mut model = Model::new(&settings);
        let jobs = crate::context::connect(settings).await?;
        let look = feed::look(&jobs).await;
        jobs.shutdown().await;
        model.take(look?);
        if args.json {
            return Ok(context.output.json(&model.described())?);
        }
        let frame = view::text(&model, PRINTED)?;
        return Ok(context.output.line(frame)?);
    }
    let model = Model::new(&settings);
    let feed = Feed::new(settings, args.interval);
    live::run(context, model, feed).await
}
