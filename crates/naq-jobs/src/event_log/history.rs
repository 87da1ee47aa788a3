//! The history of one job: where in the stream it can be, and what of it is there.

use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::feed::Feed;
use super::filter::EventFilter;
use super::session::{Plan, Start};
use crate::JobsError;
use crate::events::{Event, read_batch};
use crate::model::JobId;
use crate::server::{ApiError, Link, call, last_at_leader};
use crate::wire::{Outcome, millis};

/// Messages that are looked through at the most.
const MOST: usize = 20_000;

/// Clocks of two processes may differ by so much.
const SKEW: Duration = Duration::from_secs(5);

/// Time that an event may be late beyond `flush_interval`: retries of a process that cannot send.
const LATE: Duration = Duration::from_secs(30);

/// Before the first letter of a ULID can be another one: the year 10889. Ids with a larger one are none.
const ULID_LENGTH: usize = 26;

/// What has happened to a job.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct JobHistory {
    /// The events, in their order.
    pub events: Vec<Event>,
    /// Whether that is all there was: `false` if the search was cut off, or if the beginning has expired.
    pub is_complete: bool,
}

#[derive(Deserialize)]
struct StreamInfo {
    state: StreamState,
}

#[derive(Deserialize)]
struct StreamState {
    messages: u64,
    first_seq: u64,
    #[serde(default)]
    first_ts: String,
}

pub(super) async fn read(link: &Link, job: &JobId) -> Result<JobHistory, JobsError> {
    let conn = link.lease("read the history of a job").await?;
    let (names, settings) = (link.names(), &link.settings().events);
    let stream = names.events_stream(settings);
    let nothing = JobHistory {
        events: Vec::new(),
        is_complete: false,
    };
    let state = match call::<StreamInfo>(&conn, &format!("STREAM.INFO.{stream}"), &()).await? {
        Ok(found) if found.state.messages > 0 => found.state,
        Ok(_) => return Ok(nothing),
        Err(error) if error.err_code == ApiError::STREAM_NOT_FOUND => return Ok(nothing),
        Err(error) => return Err(crate::server::refused("read events", error)),
    };
    let found = last_at_leader(&conn, &names.results_stream(), &names.result(job)).await?;
    let outcome = found.and_then(|found| serde_json::from_slice::<Outcome>(&found.payload).ok());
    let begun = begun(job, outcome.as_ref());
    let mut filter = EventFilter::new().job(job.as_str());
    if let Some(outcome) = &outcome {
        filter = filter.queue(outcome.queue.clone());
        if let Some(kind) = &outcome.kind {
            filter = filter.kind(kind.clone());
        }
    }
    let end_ms = outcome
        .map(|outcome| outcome.finished_at_ms + millis(SKEW + LATE + settings.flush_interval));
    let start = match begun {
        Some(begun) => Start::Time(begun - SKEW),
        None => Start::Sequence(state.first_seq),
    };
    let plan = Plan {
        stream,
        filters: filter.subjects(names, settings),
        durable: None,
        is_bounded: true,
    };
    let mut feed = Feed::new(link.clone(), plan, start);
    let (mut events, was_cut) = search(&mut feed, &filter, end_ms).await?;
    feed.leave().await;
    events.sort_by_key(Event::order);
    // Without a known beginning, nothing may have gone before it.
    let is_kept =
        state.first_seq <= 1 || begun.is_some_and(|begun| is_before(&state.first_ts, begun));
    Ok(JobHistory {
        events,
        is_complete: !was_cut && is_kept,
    })
}

/// The events that are wanted, until a message that cannot have any; and whether there was too much to look through.
async fn search(
    feed: &mut Feed,
    filter: &EventFilter,
    end_ms: Option<u64>,
) -> Result<(Vec<Event>, bool), JobsError> {
    let mut events = Vec::new();
    for _ in 0..MOST {
        let Some(item) = feed.next().await? else {
            return Ok((events, false));
        };
        if end_ms.is_some_and(|end| item.stored_ms > end) {
            return Ok((events, false));
        }
        if filter.may_be_in(&item.body) {
            let read = read_batch(&item.body, item.sequence).into_iter();
            events.extend(read.filter(|event| filter.wants(event)));
        }
        if item.pending == 0 {
            return Ok((events, false));
        }
    }
    Ok((events, true))
}

/// When the job began, if that can be known: from its id, or else the last attempt from its outcome.
fn begun(job: &JobId, outcome: Option<&Outcome>) -> Option<SystemTime> {
    let id = Some(job.as_str()).filter(|id| id.len() == ULID_LENGTH);
    let made = id
        .and_then(|id| ulid::Ulid::from_string(id).ok())
        .map(|id| id.datetime())
        // An id of somebody else's may look like one.
        .filter(|made| *made <= SystemTime::now() + SKEW);
    let started = outcome
        .filter(|outcome| outcome.attempt == 1)
        .map(|outcome| {
            // Without the time of its enqueueing: long before its only attempt, it may have waited.
            SystemTime::UNIX_EPOCH + Duration::from_millis(outcome.started_at_ms)
        });
    made.or_else(|| started.and_then(|started| started.checked_sub(Duration::from_secs(24 * 3600))))
}

fn is_before(text: &str, time: SystemTime) -> bool {
    let first: Option<jiff::Timestamp> = text.parse().ok();
    first.is_some_and(|first| SystemTime::from(first) < time)
}
