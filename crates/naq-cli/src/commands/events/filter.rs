//! The flags that say which events are wanted.

use naq::{EventFilter, EventType, JobId, KindName, QueueName};

/// Which events; all of it is filtered by the server.
#[derive(Debug, clap::Args)]
pub(super) struct Filter {
    /// Only those of this job
    #[arg(short, long, visible_alias = "job-id", value_name = "JOB_ID")]
    job: Option<JobId>,

    /// Only those of this type; several with commas
    #[arg(
        short = 'e',
        long = "type",
        visible_alias = "event-type",
        value_name = "TYPE"
    )]
    #[arg(value_delimiter = ',')]
    types: Vec<EventType>,

    /// Only those of this queue
    #[arg(short, long)]
    queue: Option<QueueName>,

    /// Only those of jobs of this kind
    #[arg(short, long)]
    kind: Option<KindName>,

    /// Only those of this worker
    #[arg(short, long, value_name = "WORKER_ID")]
    worker: Option<String>,
}

impl From<Filter> for EventFilter {
    fn from(flags: Filter) -> Self {
        let mut filter = Self::new().types(flags.types);
        if let Some(job) = flags.job {
            filter = filter.job(job.as_str());
        }
        if let Some(queue) = flags.queue {
            filter = filter.queue(queue.as_str());
        }
        if let Some(kind) = flags.kind {
            filter = filter.kind(kind.as_str());
        }
        if let Some(worker) = flags.worker {
            filter = filter.worker(worker);
        }
        filter
    }
}
