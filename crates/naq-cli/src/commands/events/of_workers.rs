//! `naq worker events`.

use naq::{EventFilter, EventType};

use super::tail::{View, show};
use crate::context::Context;
use crate::error::CliError;

/// What workers tell of themselves.
const TYPES: [EventType; 6] = [
    EventType::WorkerStarted,
    EventType::WorkerStopped,
    EventType::WorkerIdle,
    EventType::WorkerBusy,
    EventType::WorkerHeartbeat,
    EventType::WorkerError,
];

/// Show what workers tell of themselves: that they start, stop, are busy or idle, live, or have an error
///
/// Ends with Ctrl-C. `naq events tail --worker ID` shows their jobs as well.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  naq worker events                              the last ten, and what comes
  naq worker events --no-follow --format json
  naq worker events -w naq-worker-web1-4242-9f3c1a")]
pub(crate) struct WorkerEvents {
    /// Only those of this worker
    #[arg(short, long, value_name = "WORKER_ID")]
    worker_id: Option<String>,

    #[command(flatten)]
    view: View,
}

pub(crate) async fn worker_events(context: &Context, args: WorkerEvents) -> Result<(), CliError> {
    let mut filter = EventFilter::new().types(TYPES);
    if let Some(id) = args.worker_id {
        filter = filter.worker(id);
    }
    context
        .with_jobs(async |jobs| Box::pin(show(context, jobs, filter, &args.view)).await)
        .await
}
