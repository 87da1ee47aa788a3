//! Reading and writing the record of a schedule. Each write arms the next firing with it, all or none.

use std::collections::HashMap;

use jiff::Timestamp;
use naq_connection::Connection;
use serde::Deserialize;
use tokio::time::Instant;

use super::calendar::Timetable;
use super::messages::{turn_of, writes};
use super::record::{FIRST_VERSION, Record, VERSION, Versioned};
use super::run::Run;
use super::telling::tell_written;
use crate::events::EventType;
use crate::model::ScheduleName;
use crate::server::{
    BatchEnd, Link, Write, delete_sequence, last_at_leader, last_of, last_of_each, persist,
    server_now, store_batch, store_batch_at,
};
use crate::wire::Names;
use crate::{JobsError, JobsErrorKind};

/// Changes that may come in between before a change is given up.
const MAX_CONFLICTS: usize = 50;

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

/// Readable records of some schedules, as the nearest server has them, in one request if there are several.
pub(super) async fn read_many<'a>(
    conn: &Connection,
    link: &Link,
    names: impl Iterator<Item = &'a ScheduleName>,
) -> Result<HashMap<ScheduleName, Versioned>, JobsError> {
    let subjects: Vec<String> = names.map(|name| link.names().recurring(name)).collect();
    if subjects.len() < 2 {
        return Ok(HashMap::new());
    }
    let stream = link.names().jobs_stream();
    let found = last_of_each(conn, &stream, &subjects, subjects.len()).await?;
    let read = found.into_iter().filter_map(|stored| {
        let name = Names::parse_schedule(&stored.subject)?;
        let record = decode(&name, &stored.payload).ok()?;
        let sequence = stored.sequence;
        Some((name, Versioned { record, sequence }))
    });
    Ok(read.collect())
}

/// The version alone, so that a newer record is told from a broken one.
#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// Reads the body of a record.
pub(super) fn decode(name: &ScheduleName, body: &[u8]) -> Result<Record, JobsError> {
    if let Ok(Version { v }) = serde_json::from_slice(body)
        && !(FIRST_VERSION..=VERSION).contains(&v)
    {
        let context = format!(
            "read the schedule {name}: its version is {v}, this program reads up to {VERSION}"
        );
        return Err(JobsError::new(JobsErrorKind::Unsupported, context));
    }
    serde_json::from_slice(body).map_err(|e| {
        let context = format!("read the schedule {name}: delete it and create it again");
        JobsError::new(JobsErrorKind::Corrupt, context).because(e)
    })
}

/// The timetable of a record.
pub(super) fn timetable(name: &ScheduleName, record: &Record) -> Result<Timetable, JobsError> {
    record.timetable().map_err(|e| {
        let context = format!("read the timetable of the schedule {name}");
        JobsError::new(JobsErrorKind::Corrupt, context).because(e)
    })
}

/// The server's time.
pub(super) async fn now(conn: &Connection, link: &Link) -> Result<Timestamp, JobsError> {
    let now = server_now(conn, &link.names().jobs_stream()).await?;
    Timestamp::try_from(now)
        .map_err(|e| JobsError::new(JobsErrorKind::Corrupt, "read the server's clock").because(e))
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
/// A change that is written is told as `told`, and comes with its jobs. `change` gets the record and the server's time; it may run several times.
pub(super) async fn change(
    link: &Link,
    name: &ScheduleName,
    told: EventType,
    change: impl Fn(&mut Record, Timestamp) -> Result<Wish, JobsError>,
) -> Result<(Versioned, Vec<Run>), JobsError> {
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
            Wish::Nothing => return Ok((versioned, Vec::new())),
            Wish::Write(runs) => runs,
        };
        // The next firing is the server's again: whoever makes those of a short interval hears of the change by it.
        versioned.record.beat = None;
        if commit(link, name, &mut versioned, &runs, now).await? {
            tell_written(link, told, name, &versioned.record, &runs);
            return Ok((versioned, runs));
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
    let stored = persist(link, context, deadline, |conn| async move {
        match store_batch_at(&conn, context, all.clone()).await? {
            (BatchEnd::Stored, sequence) => Ok(Some(sequence)),
            // The answer to an earlier try may have been lost.
            (BatchEnd::Conflict, _) => ours(&conn, link, name, turn).await,
            (BatchEnd::Duplicate, _) => store_known(&conn, link, name, all.clone(), turn).await,
        }
    })
    .await?;
    versioned.sequence = stored.unwrap_or(versioned.sequence);
    Ok(stored.is_some())
}

/// The server knows one of the jobs already: it was killed while it stored them, or a job was triggered twice. Each is
/// stored by itself, which does nothing for those that it knows, and then the rest.
async fn store_known(
    conn: &Connection,
    link: &Link,
    name: &ScheduleName,
    all: Vec<Write>,
    turn: u64,
) -> Result<Option<u64>, JobsError> {
    let context = "write a schedule";
    if let Some(sequence) = ours(conn, link, name, turn).await? {
        return Ok(Some(sequence));
    }
    let (jobs, rest): (Vec<Write>, Vec<Write>) = all
        .into_iter()
        .partition(|write| write.headers.get("Nats-Msg-Id").is_some());
    for job in jobs {
        store_batch(conn, context, vec![job]).await?;
    }
    match store_batch_at(conn, context, rest).await? {
        (BatchEnd::Stored, sequence) => Ok(Some(sequence)),
        _ => ours(conn, link, name, turn).await,
    }
}

/// The sequence of the record, if it is the one with this turn.
async fn ours(
    conn: &Connection,
    link: &Link,
    name: &ScheduleName,
    turn: u64,
) -> Result<Option<u64>, JobsError> {
    let found = read(conn, link, name).await?;
    Ok(found
        .filter(|found| found.record.turn == turn)
        .map(|found| found.sequence))
}

/// Removes the armed firing of a record that does not fire any more. A stale one does no harm, so this may fail.
pub(super) async fn disarm(conn: &Connection, link: &Link, name: &ScheduleName, turn: u64) {
    let (stream, subject) = (link.names().jobs_stream(), link.names().arm(name));
    let Ok(Some(armed)) = last_of(conn, &stream, &subject).await else {
        return;
    };
    // Only the message of this very turn: somebody may have armed another one meanwhile.
    if turn_of(armed.headers.as_ref()) == Some(turn) {
        drop(delete_sequence(conn, &stream, armed.sequence).await);
    }
}
