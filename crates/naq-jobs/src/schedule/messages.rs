//! The messages of a change: the jobs that a schedule makes, its next firing, its record.

use std::time::SystemTime;

use async_nats::HeaderMap;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::record::{Record, ScheduleState, Versioned};
use super::run::Run;
use crate::model::{JobId, QueueName, ScheduleName};
use crate::parked::{AWAITS, Why};
use crate::server::{Link, Write, expect_newest, rfc3339};
use crate::wire::{headers, text};
use crate::{JobsError, JobsErrorKind};

/// Time after which somebody else goes on with a short interval whose firings stay away.
const WATCH: SignedDuration = SignedDuration::from_secs(2);

/// The messages that replace the record: jobs first, so that what a killed server may keep of them is found again.
pub(super) fn writes(
    link: &Link,
    name: &ScheduleName,
    versioned: &Versioned,
    runs: &[Run],
    now: Timestamp,
) -> Result<Vec<Write>, JobsError> {
    let record = &versioned.record;
    let mut writes = Vec::with_capacity(runs.len() + 2);
    for run in runs {
        writes.push(job_message(link, name, record, run, now)?);
    }
    if record.state == ScheduleState::Active {
        writes.push(arm(link, name, record, now)?);
    }
    writes.push(record_write(link, name, versioned)?);
    Ok(writes)
}

fn arm(
    link: &Link,
    name: &ScheduleName,
    record: &Record,
    now: Timestamp,
) -> Result<Write, JobsError> {
    let due = record.next().map(|next| match record.beat {
        // Written again with each firing, so it fires only when those stay away.
        Some(_) => next.max(now).checked_add(WATCH).unwrap_or(next),
        None => record.due(name, next),
    });
    let due = due
        .map(SystemTime::from)
        .and_then(rfc3339)
        .ok_or_else(|| impossible(name, "arm its next firing"))?;
    let mut fields = HeaderMap::new();
    fields.insert("Nats-Schedule", format!("@at {due}"));
    fields.insert("Nats-Schedule-Target", link.names().fire(name));
    fields.insert("Nats-TTL", "never");
    fields.insert(headers::TURN, record.turn.to_string());
    Ok(Write {
        subject: link.names().arm(name),
        headers: fields,
        body: Bytes::new(),
    })
}

/// The turn of the record for which a message was armed; a firing has it from its armed message. `None`: it is not ours.
pub(crate) fn turn_of(fields: Option<&HeaderMap>) -> Option<u64> {
    text(fields, headers::TURN)?.parse().ok()
}

fn record_write(
    link: &Link,
    name: &ScheduleName,
    versioned: &Versioned,
) -> Result<Write, JobsError> {
    let record = &versioned.record;
    let body =
        serde_json::to_vec(record).map_err(|e| impossible(name, "write its record").because(e))?;
    let ttl = match record.state {
        ScheduleState::Finished => {
            format!("{}s", link.settings().results.ttl.as_secs().max(1))
        }
        _ => "never".to_owned(),
    };
    let mut fields = HeaderMap::new();
    fields.insert("Nats-TTL", ttl);
    fields.insert("Nats-Rollup", "sub");
    expect_newest(&mut fields, versioned.sequence);
    Ok(Write {
        subject: link.names().recurring(name),
        headers: fields,
        body: body.into(),
    })
}

/// The message of `run`: in its queue, or parked until another job has ended.
fn job_message(
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

fn impossible(name: &ScheduleName, what: &str) -> JobsError {
    JobsError::new(
        JobsErrorKind::Corrupt,
        format!("{what}, of the schedule {name}"),
    )
}
