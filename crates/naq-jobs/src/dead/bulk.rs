//! Many dead letters at once: page by page, up to the newest that was there at the start.

use std::time::SystemTime;

use futures::StreamExt;

use super::requeue::requeue;
use super::{DeadFilter, DeadLetter};
use crate::JobsError;
use crate::payload::release;
use crate::server::{
    Link, delete_sequence, exists, first_since, last_sequence, page, purge_before, rfc3339,
    server_now,
};

/// Letters in one page.
const PAGE: usize = 500;

/// Letters that are changed at the same time.
const AT_ONCE: usize = 32;

/// What became of many dead letters.
#[derive(Debug, Default)]
pub struct DeadBulk {
    /// Letters that fit the filter.
    pub matched: u64,
    /// Letters that were retried or removed. One that somebody else took meanwhile is none of them.
    pub done: u64,
    /// Letters that the server refused; they are still there.
    pub failed: u64,
    /// Why, for the first of them.
    pub first_error: Option<JobsError>,
}

/// What is done to each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Count,
    Retry,
    Delete,
}

/// The letters that fit, a page at a time, up to the newest that was there when the walk began.
pub(super) struct Walk<'a> {
    link: &'a Link,
    filter: &'a DeadFilter,
    now: SystemTime,
    until: u64,
    next: Option<u64>,
}

impl<'a> Walk<'a> {
    pub(super) async fn new(
        link: &'a Link,
        filter: &'a DeadFilter,
        from: u64,
    ) -> Result<Self, JobsError> {
        let conn = link.lease("look at the dead letters").await?;
        let names = link.names();
        let (stream, subjects) = (
            names.dead_stream(),
            names.dead_filter(filter.queue.as_ref()),
        );
        let now = server_now(&conn, &stream).await?;
        let until = last_sequence(&conn, &stream).await?;
        let mut next = Some(from);
        let since = filter
            .newer_than
            .and_then(|age| now.checked_sub(age))
            .and_then(rfc3339);
        if let Some(since) = since {
            let first = first_since(&conn, &stream, &subjects, &since).await?;
            next = first.map(|first| first.sequence.max(from));
        }
        Ok(Self {
            link,
            filter,
            now,
            until,
            next,
        })
    }

    /// The letters of the next page that fit, maybe none; `None` at the end.
    pub(super) async fn page(
        &mut self,
        limit: usize,
    ) -> Result<Option<Vec<DeadLetter>>, JobsError> {
        let Some(from) = self.next.filter(|from| *from <= self.until) else {
            return Ok(None);
        };
        let conn = self.link.lease("look at the dead letters").await?;
        let names = self.link.names();
        let subjects = names.dead_filter(self.filter.queue.as_ref());
        let found = page(&conn, &names.dead_stream(), &subjects, from, limit).await?;
        self.next = found.next;
        let letters = found.messages.into_iter().filter_map(DeadLetter::read);
        let fits = letters.filter(|letter| {
            letter.sequence <= self.until && self.filter.matches(letter, self.now)
        });
        Ok(Some(fits.collect()))
    }

    /// Where the next page begins; `None` at the end.
    pub(super) fn next(&self) -> Option<u64> {
        self.next.filter(|next| *next <= self.until)
    }
}

/// Does it to at most `most` letters that fit; `told` hears of the sums after each page.
pub(super) async fn bulk(
    link: &Link,
    filter: &DeadFilter,
    deed: Deed,
    most: u64,
    mut told: impl FnMut(&DeadBulk),
) -> Result<DeadBulk, JobsError> {
    if deed == Deed::Delete && most == u64::MAX && filter.is_a_range() {
        let conn = link.lease("remove dead letters").await?;
        // Letters with large payloads go one by one, with those.
        if !exists(&conn, &link.names().payloads_stream()).await? {
            return delete_range(link, filter).await;
        }
    }
    let mut bulk = DeadBulk::default();
    let mut walk = Walk::new(link, filter, 0).await?;
    while let Some(mut letters) = walk.page(PAGE).await? {
        let left = usize::try_from(most - bulk.matched).unwrap_or(usize::MAX);
        letters.truncate(left);
        bulk.matched += letters.len() as u64;
        let mut results = futures::stream::iter(letters)
            .map(|letter| done(link, deed, letter))
            .buffer_unordered(AT_ONCE);
        while let Some(result) = results.next().await {
            match result {
                Ok(true) => bulk.done += 1,
                Ok(false) => {}
                Err(error) => {
                    bulk.failed += 1;
                    bulk.first_error.get_or_insert(error);
                }
            }
        }
        told(&bulk);
        if bulk.matched >= most {
            break;
        }
    }
    Ok(bulk)
}

async fn done(link: &Link, deed: Deed, letter: DeadLetter) -> Result<bool, JobsError> {
    match deed {
        Deed::Count => Ok(false),
        Deed::Retry => requeue(link, &letter).await.map(|()| true),
        Deed::Delete => {
            let conn = link.lease("remove a dead letter").await?;
            let stream = link.names().dead_stream();
            let was_there = delete_sequence(&conn, &stream, letter.sequence).await?;
            release(link, &letter.body).await?;
            Ok(was_there)
        }
    }
}

/// All of a queue, or those before the first that is too young, in one request.
async fn delete_range(link: &Link, filter: &DeadFilter) -> Result<DeadBulk, JobsError> {
    let conn = link.lease("remove dead letters").await?;
    let names = link.names();
    let (stream, subjects) = (
        names.dead_stream(),
        names.dead_filter(filter.queue.as_ref()),
    );
    let mut end = last_sequence(&conn, &stream).await? + 1;
    if let Some(age) = filter.older_than {
        let since = server_now(&conn, &stream).await?.checked_sub(age);
        if let Some(since) = since.and_then(rfc3339) {
            let young = first_since(&conn, &stream, &subjects, &since).await?;
            end = young.map_or(end, |young| young.sequence.min(end));
        }
    }
    let removed = purge_before(&conn, &stream, &subjects, end).await?;
    Ok(DeadBulk {
        matched: removed,
        done: removed,
        ..DeadBulk::default()
    })
}
