//! What is told of recurring schedules and of the jobs that they make.

use serde::Deserialize;

use super::record::Record;
use super::run::Run;
use crate::events::{EventType, Fact, NONE};
use crate::model::{KindName, QueueName, ScheduleName};
use crate::server::Link;

/// The part of a job's envelope that is told.
#[derive(Deserialize)]
struct Job {
    kind: String,
}

/// A schedule was written, and with it these jobs.
pub(super) fn tell_written(
    link: &Link,
    event_type: EventType,
    name: &ScheduleName,
    record: &Record,
    runs: &[Run],
) {
    runs.iter().for_each(|run| run.end_trace(true));
    if !link.events().is_on() {
        return;
    }
    // A foreign record may hold anything; what is no name has no place in a subject.
    let kind = serde_json::from_str::<Job>(record.job.get()).ok();
    let kind = kind.and_then(|job| KindName::new(job.kind).ok());
    let queue = QueueName::new(record.queue.clone()).ok();
    let fact = |event_type| {
        let mut fact = Fact::now(event_type);
        fact.queue = queue.as_ref().map_or(NONE, QueueName::as_str);
        fact.kind = kind.as_ref().map_or(NONE, KindName::as_str);
        fact.schedule = Some(name.as_str());
        fact
    };
    // A firing is told by the jobs that it makes.
    if event_type != EventType::ScheduleTriggered {
        let mut changed = fact(event_type);
        let next = record.next();
        changed.due_ms = next.and_then(|next| u64::try_from(next.as_millisecond()).ok());
        link.events().tell(&changed);
    }
    for run in runs {
        for event_type in [EventType::ScheduleTriggered, EventType::Enqueued] {
            let mut made = fact(event_type);
            made.job_id = Some(run.id.as_str());
            link.events().tell(&made);
        }
    }
}

/// Something is wrong with a schedule, or nothing is left of it.
pub(super) fn tell_schedule(
    link: &Link,
    event_type: EventType,
    name: &ScheduleName,
    error: Option<&str>,
) {
    let mut fact = Fact::now(event_type);
    fact.schedule = Some(name.as_str());
    fact.error = error;
    link.events().tell(&fact);
}
