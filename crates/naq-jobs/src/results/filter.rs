//! Which outcomes are meant, and the walk to them.

use std::time::{Duration, SystemTime};

use futures::{StreamExt, TryStreamExt};
use naq_connection::Connection;

use super::store::{ResultPage, readable};
use crate::JobsError;
use crate::server::{
    Link, delete_sequence, first_since, last_sequence, page, purge_before, rfc3339, server_now,
};
use crate::wire::{Outcome, Status};

/// Outcomes in one page.
const PAGE: usize = 500;

/// Outcomes that are removed at the same time.
const AT_ONCE: usize = 32;

/// Which outcomes are meant: those that fit all that is set. The default: all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResultFilter {
    /// Of jobs that ended so.
    pub status: Option<Status>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Of this queue.
    pub queue: Option<String>,
    /// Recorded at least so long ago, by the server's clock. The server finds the place by itself.
    pub older_than: Option<Duration>,
    /// Recorded at most so long ago, by the server's clock. The server finds the place by itself.
    pub newer_than: Option<Duration>,
}

/// The part of the stream that the ages leave: from this sequence on, before that one.
#[derive(Debug, Clone, Copy)]
struct Range {
    from: u64,
    end: u64,
}

impl ResultFilter {
    fn matches(&self, outcome: &Outcome) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == found
        };
        self.status.is_none_or(|status| status == outcome.status)
            && is(&self.kind, outcome.kind.as_deref())
            && is(&self.queue, Some(&outcome.queue))
    }

    /// Whether the ages alone say which, so that the server can do it in one request.
    fn is_a_range(&self) -> bool {
        self.status.is_none()
            && self.kind.is_none()
            && self.queue.is_none()
            && self.newer_than.is_none()
    }

    async fn range(&self, conn: &Connection, link: &Link) -> Result<Range, JobsError> {
        let names = link.names();
        let (stream, subjects) = (names.results_stream(), names.result_filter());
        let now = server_now(conn, &stream).await?;
        let past = last_sequence(conn, &stream).await? + 1;
        let since = async |age: Duration| {
            let time = now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
            let Some(time) = rfc3339(time) else {
                return Ok(past);
            };
            let first = first_since(conn, &stream, &subjects, &time).await?;
            Ok::<u64, JobsError>(first.map_or(past, |first| first.sequence))
        };
        Ok(Range {
            from: match self.newer_than {
                Some(age) => since(age).await?,
                None => 0,
            },
            end: match self.older_than {
                Some(age) => since(age).await?.min(past),
                None => past,
            },
        })
    }
}

/// The outcomes that fit, from `from` on, at most `limit`.
pub(super) async fn search(
    link: &Link,
    filter: &ResultFilter,
    from: u64,
    limit: usize,
) -> Result<ResultPage, JobsError> {
    let conn = link.lease("list outcomes").await?;
    let names = link.names();
    let range = filter.range(&conn, link).await?;
    let mut outcomes = Vec::new();
    let mut next = Some(from.max(range.from));
    while let Some(start) = next.filter(|next| *next < range.end) {
        if outcomes.len() >= limit {
            break;
        }
        let (stream, subjects) = (names.results_stream(), names.result_filter());
        let part = page(&conn, &stream, &subjects, start, limit - outcomes.len()).await?;
        next = part.next;
        let fits = part
            .messages
            .iter()
            .filter(|stored| stored.sequence < range.end)
            .filter_map(readable)
            .filter(|outcome| filter.matches(outcome));
        outcomes.extend(fits);
    }
    Ok(ResultPage {
        outcomes,
        next: next.filter(|next| *next < range.end),
    })
}

/// Removes those that fit, or counts them.
pub(super) async fn delete_all(
    link: &Link,
    filter: &ResultFilter,
    is_dry_run: bool,
) -> Result<u64, JobsError> {
    let conn = link.lease("remove outcomes").await?;
    let names = link.names();
    let (stream, subjects) = (names.results_stream(), names.result_filter());
    let range = filter.range(&conn, link).await?;
    if filter.is_a_range() && !is_dry_run {
        return purge_before(&conn, &stream, &subjects, range.end).await;
    }
    let (mut sum, mut next) = (0, Some(range.from));
    while let Some(start) = next.filter(|next| *next < range.end) {
        let part = page(&conn, &stream, &subjects, start, PAGE).await?;
        next = part.next;
        let fits: Vec<u64> = part
            .messages
            .iter()
            .filter(|stored| stored.sequence < range.end)
            .filter(|stored| readable(stored).is_some_and(|outcome| filter.matches(&outcome)))
            .map(|stored| stored.sequence)
            .collect();
        if is_dry_run {
            sum += fits.len() as u64;
            continue;
        }
        let gone = futures::stream::iter(fits)
            .map(|sequence| delete_sequence(&conn, &stream, sequence))
            .buffer_unordered(AT_ONCE);
        sum += gone
            .try_fold(0, async |sum, gone| Ok(sum + u64::from(gone)))
            .await?;
    }
    Ok(sum)
}
