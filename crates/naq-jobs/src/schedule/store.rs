//! Reading and writing the record of a schedule. Each write arms the next firing with it, all or none.

use std::time::SystemTime;

use async_nats::HeaderMap;
use bytes::Bytes;
use jiff::Timestamp;
use naq_connection::Connection;
use tokio::time::Instant;

use super::record::{Record, Run, ScheduleState, VERSION};
use super::telling::tell_written;
use crate::events::EventType;
use crate::model::{QueueName, ScheduleName};
use crate::server::{
    BatchEnd, Link, Write, delete_sequence, last_at_leader, last_of, persist, rfc3339, server_now,
    store_batch,
};
use crate::wire::{headers, text};
use crate::{JobsError, JobsErrorKind};

/// Changes that may come in between before a change is given up.
const MAX_CONFLICTS: usize = 50;

/// A record as it is stored.
#[derive(Debug, Clone)]
pub(super) struct Versioned {
    pub(super) record: Record,
    pub(super) sequence: u64,
}

/// The record of `name`, from the stream's leader.
pub(super) async fn read(
    conn: &Connection,
    link: &Link,
    name: &ScheduleName,
) -> Result<Option<Versioned>, JobsError> {
    let (stream, subject) = (link.names().jobs_stream(), link.names().recurring(name));
    let Some(stored) = last_at_leader(conn, &stream, &subject).await? else {
        return Ok(None);
    };
    let record = decode(name, &stored.payload)?;
    Ok(Some(Versioned {
        record,
        sequence: stored.sequence,
    }))
}

/// Reads the body of a record.
pub(super) fn decode(name: &ScheduleName, body: &[u8]) -> Result<Record, JobsError> {
    let unreadable = || {
        JobsError::new(
            JobsErrorKind::Corrupt,
            format!("read the schedule {name}: delete it and create it again"),
        )
    };
    let record: Record = serde_json::from_slice(body).map_err(|e| unreadable().because(e))?;
    if record.v == VERSION {
        return Ok(record);
    }
    let text = format!("its version is {}, this program reads {VERSION}", record.v);
    Err(unreadable().because(text))
}

/// The server's time.
pub(super) async fn now(conn: &Connection, link: &Link) -> Result<Timestamp, JobsError> {
    let now = server_now(conn, &link.names().jobs_stream()).await?;
    Timestamp::try_from(now)
        .map_err(|e| JobsError::new(JobsErrorKind::Corrupt, "read the server's clock").because(e))
}

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
        writes.push(job(link, name, record, run, now)?);
    }
    if record.state == ScheduleState::Active {
        writes.push(arm(link, name, record)?);
    }
    writes.push(record_write(link, name, versioned)?);
    Ok(writes)
}

fn job(
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
    fields.insert("Nats-Msg-Id", run.id.as_str());
    fields.insert(headers::SCHEDULE, name.as_str());
    fields.insert(headers::INSTANT, run.at.as_second().to_string());
    if let Some(sending) = &run.sending {
        sending.write(&mut fields);
    }
    Ok(Write {
        subject: link.names().job(&queue, &run.id),
        headers: fields,
        body: body.into(),
    })
}

fn arm(link: &Link, name: &ScheduleName, record: &Record) -> Result<Write, JobsError> {
    let next = record.next_s.and_then(|s| Timestamp::from_second(s).ok());
    let due = next.map(|next| SystemTime::from(record.due(name, next)));
    let due = due
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
    fields.insert(
        "Nats-Expected-Last-Subject-Sequence",
        versioned.sequence.to_string(),
    );
    Ok(Write {
        subject: link.names().recurring(name),
        headers: fields,
        body: body.into(),
    })
}

fn impossible(name: &ScheduleName, what: &str) -> JobsError {
    JobsError::new(
        JobsErrorKind::Corrupt,
        format!("{what}, of the schedule {name}"),
    )
}

/// What a change wants.
pub(super) enum Wish {
    /// Write the record, with a job for each of these instants.
    Write(Vec<Run>),
    /// Leave everything as it is.
    Nothing,
}

/// Changes the record under compare-and-set, again after each change of somebody else, and says what it is then.
///
/// A change that is written is told as `told`. `change` gets the record and the server's time; it may run several times.
pub(super) async fn change(
    link: &Link,
    name: &ScheduleName,
    told: EventType,
    change: impl Fn(&mut Record, Timestamp) -> Result<Wish, JobsError>,
) -> Result<Versioned, JobsError> {
    let context = "change a schedule";
    let deadline = Instant::now() + link.settings().nats.request_timeout * 3;
    for _ in 0..MAX_CONFLICTS {
        let found = persist(link, context, deadline, |conn| async move {
            Ok((read(&conn, link, name).await?, now(&conn, link).await?))
        });
        let (found, now) = found.await?;
        let Some(mut versioned) = found else {
            return Err(JobsError::new(
                JobsErrorKind::NotFound,
                format!("find the schedule {name}"),
            ));
        };
        let runs = match change(&mut versioned.record, now)? {
            Wish::Nothing => return Ok(versioned),
            Wish::Write(runs) => runs,
        };
        if commit(link, name, &mut versioned, &runs, now).await? {
            tell_written(link, told, name, &versioned.record, &runs);
            runs.iter().for_each(|run| run.end_trace(true));
            return Ok(versioned);
        }
    }
    Err(JobsError::new(
        JobsErrorKind::Conflict,
        format!("change the schedule {name}: others change it all the time"),
    ))
}

/// Writes a record with its jobs and its next firing; `false` if somebody else's change came first.
pub(super) async fn commit(
    link: &Link,
    name: &ScheduleName,
    versioned: &mut Versioned,
    runs: &[Run],
    now: Timestamp,
) -> Result<bool, JobsError> {
    versioned.record.turn = fastrand::u64(1..=i64::MAX.unsigned_abs());
    let context = "write a schedule";
    let deadline = Instant::now() + link.settings().nats.request_timeout * 3;
    let all = &writes(link, name, versioned, runs, now)?;
    let turn = versioned.record.turn;
    persist(link, context, deadline, |conn| async move {
        match store_batch(&conn, context, all.clone()).await? {
            BatchEnd::Stored => Ok(true),
            // The answer to an earlier try may have been lost.
            BatchEnd::Conflict => Ok(is_ours(&conn, link, name, turn).await?),
            BatchEnd::Duplicate => store_known(&conn, link, name, all.clone(), turn).await,
        }
    })
    .await
}

/// The server knows one of the jobs already: it was killed while it stored them, or a job was triggered twice. Each is
/// stored by itself, which does nothing for those that it knows, and then the rest.
async fn store_known(
    conn: &Connection,
    link: &Link,
    name: &ScheduleName,
    all: Vec<Write>,
    turn: u64,
) -> Result<bool, JobsError> {
    let context = "write a schedule";
    if is_ours(conn, link, name, turn).await? {
        return Ok(true);
    }
    let (jobs, rest): (Vec<Write>, Vec<Write>) = all
        .into_iter()
        .partition(|write| write.headers.get("Nats-Msg-Id").is_some());
    for job in jobs {
        store_batch(conn, context, vec![job]).await?;
    }
    match store_batch(conn, context, rest).await? {
        BatchEnd::Stored => Ok(true),
        _ => is_ours(conn, link, name, turn).await,
    }
}

/// Whether the record is the one with this turn.
async fn is_ours(
    conn: &Connection,
    link: &Link,
    name: &ScheduleName,
    turn: u64,
) -> Result<bool, JobsError> {
    let found = read(conn, link, name).await?;
    Ok(found.is_some_and(|found| found.record.turn == turn))
}

/// Removes the armed firing of a record that does not fire any more. A stale one does no harm, so this may fail.
pub(super) async fn disarm(conn: &Connection, link: &Link, name: &ScheduleName, turn: u64) {
    let (stream, subject) = (link.names().jobs_stream(), link.names().arm(name));
    let Ok(Some(armed)) = last_of(conn, &stream, &subject).await else {
        return;
    };
    // Only the message of this very turn: somebody may have armed another one meanwhile.
    if text(armed.headers.as_ref(), headers::TURN) == Some(turn.to_string().as_str()) {
        drop(delete_sequence(conn, &stream, armed.sequence).await);
    }
}
