//! The jobs that count for a limit: of a key, or of a queue.

use naq_connection::Connection;

use super::facts::PlaceHolder;
use crate::inspect::{WorkerInfo, instant, runner_of};
use crate::model::QueueName;
use crate::server::{Link, last_of_each};
use crate::wire::Counted;

/// Holders that are named at the most.
const HOLDERS: usize = 100;

/// The jobs that hold the places of those that are counted together.
pub(super) async fn of_places(
    conn: &Connection,
    link: &Link,
    counted: &Counted,
    workers: &[WorkerInfo],
) -> Vec<PlaceHolder> {
    let names = link.names();
    let filters = [names.places(counted)];
    let held = last_of_each(conn, &names.limits_stream(), &filters, HOLDERS).await;
    let held = held.unwrap_or_default().into_iter();
    held.map(|place| {
        let job = String::from_utf8_lossy(&place.payload).into_owned();
        let shown = runner_of(&job, workers);
        PlaceHolder {
            worker: shown.map(|(worker, _)| worker.record.worker_id.clone()),
            since: shown.and_then(|(_, job)| instant(job.started_at_ms)),
            job,
        }
    })
    .collect()
}

/// The jobs of a queue that workers show as running: of one priority, the server itself keeps the limit.
pub(super) fn of_workers(queue: &QueueName, workers: &[WorkerInfo]) -> Vec<PlaceHolder> {
    let running = workers.iter().flat_map(|worker| {
        let ours = worker.record.running.iter();
        ours.filter(|job| job.queue == queue.as_str())
            .map(|job| PlaceHolder {
                job: job.job_id.clone(),
                worker: Some(worker.record.worker_id.clone()),
                since: instant(job.started_at_ms),
            })
    });
    running.take(HOLDERS).collect()
}
