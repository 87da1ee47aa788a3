//! What was recorded, for the `metrics` facade and by it for Prometheus.
//!
//! Handed over per batch, so that names and labels are made once for many jobs.

use metrics::{counter, histogram};

use crate::events::{Batch, Count, EventType};

/// Hands the numbers over; does nothing if no recorder is installed. Each batch is measured once, also if it is sent
/// again.
pub(super) fn measure(batches: &mut [Batch], counts: &[Count]) {
    // Shown from the start, so that an alert sees it rise.
    counter!("naq_events_dropped_total").increment(0);
    for count in counts {
        let group = &count.group;
        let labels = || {
            let (queue, kind) = (group.queue.to_string(), group.kind.to_string());
            [("queue", queue), ("kind", kind)]
        };
        let Some(state) = state(group.event_type) else {
            continue;
        };
        let [queue, kind] = labels();
        counter!("naq_jobs_total", "queue" => queue.1, "kind" => kind.1, "state" => state)
            .increment(count.events);
        if group.event_type == EventType::RetryScheduled {
            counter!("naq_job_retries_total", &labels()).increment(count.events);
        }
    }
    for batch in batches {
        let group = &batch.group;
        if batch.lost() > 0 {
            counter!("naq_events_dropped_total").increment(batch.lost());
        }
        let name = match group.event_type {
            EventType::Started => "naq_job_wait_seconds",
            known if known.ends_attempt() => "naq_job_duration_seconds",
            _ => continue,
        };
        let (queue, kind) = (group.queue.to_string(), group.kind.to_string());
        let times = histogram!(name, "queue" => queue, "kind" => kind);
        for ms in std::mem::take(&mut batch.times_ms) {
            times.record(ms / 1000.0);
        }
    }
}

/// The value of the label `state`; `None` for what is not about a job.
fn state(event_type: EventType) -> Option<&'static str> {
    use EventType as E;
    let is_of_jobs = matches!(
        event_type,
        E::Enqueued
            | E::Scheduled
            | E::Started
            | E::Completed
            | E::RetryScheduled
            | E::Failed
            | E::DeadLettered
            | E::Requeued
            | E::Cancelled
            | E::Expired
            | E::LeaseLost
            | E::HandedBack
            | E::Limited
            | E::Parked
            | E::Snoozed
    );
    is_of_jobs.then_some(event_type.as_str())
}
