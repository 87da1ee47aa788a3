//! The message of a job that a schedule makes.

use std::time::SystemTime;

use async_nats::HeaderMap;
use jiff::Timestamp;

use super::record::Record;
use super::run::Run;
use super::store::impossible;
use crate::JobsError;
use crate::model::{JobId, QueueName, ScheduleName};
use crate::parked::{AWAITS, Why};
use crate::server::{Link, Write, rfc3339};
use crate::wire::headers;

/// The message of `run`: in its queue, or parked until another job has ended.
pub(super) fn job_message(
    link: &Link,
    name: &ScheduleName,
    record: &Record,
    run: &Run,
    now: Timestamp,
) -> Result<Write, JobsError> {
    let queue = QueueName::new(record.queue.clone())
        .map_err(|e| impossible(name, "use its queue").because(e))?;
    let now_ms = u64::try_from(now.as_millisecond()).unwrap_or(0);
    let body = record
        .envelope(now_ms)
        .map_err(|e| impossible(name, "write its job").because(e))?;
    let mut fields = HeaderMap::new();
    for (name, values) in &record.headers {
        for value in values {
            fields.append(name.as_str(), value.as_str());
        }
    }
    fields.insert("Nats-Msg-Id", run.id.as_str());
    fields.insert(headers::SCHEDULE, name.as_str());
    fields.insert(headers::INSTANT, run.instant());
    if let Some(sending) = &run.sending {
        sending.write(&mut fields);
    }
    let mut subject = link.names().job_at(&queue, &run.id, record.priority());
    if let Some(other) = &run.after {
        let why = Why::after(other);
        park(&mut fields, &subject, other, &why, now)
            .ok_or_else(|| impossible(name, "keep its job back"))?;
        subject = link.names().parked(&queue, why.as_str(), &run.id);
    }
    Ok(Write {
        subject,
        headers: fields,
        body: body.into(),
    })
}

/// What a parked job says besides: see `worker/admit.rs`.
fn park(
    fields: &mut HeaderMap,
    target: &str,
    other: &JobId,
    why: &Why,
    now: Timestamp,
) -> Option<()> {
    let back = SystemTime::from(now).checked_add(AWAITS.0)?;
    fields.insert("Nats-Schedule", format!("@at {}", rfc3339(back)?));
    fields.insert("Nats-Schedule-Target", target);
    fields.insert(headers::AFTER, other.as_str());
    fields.insert(headers::PARKED, format!("1 {}", why.as_str()));
    fields.insert(headers::PARKED_AT, now.as_millisecond().to_string());
    Some(())
}
