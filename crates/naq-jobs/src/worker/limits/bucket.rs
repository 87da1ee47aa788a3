//! How far a rate is booked: one number under compare-and-set, shared by all workers.

use std::collections::HashMap;
use std::time::SystemTime;

use async_nats::HeaderMap;
use naq_config::settings::Rate;
use naq_connection::Connection;
use tokio::sync::Mutex;

use super::clock::{ServerClock, instant};
use super::gcra::book;
use crate::server::{Link, expect_newest, last_at_leader, wrong_sequence};
use crate::{JobsError, JobsErrorKind};

/// Bookings of other workers that may come in between.
const MAX_CONFLICTS: usize = 100;

/// Buckets that are remembered; beyond, all are read again.
const MAX_KNOWN: usize = 10_000;

/// The buckets that this worker has used.
#[derive(Debug, Default)]
pub(in crate::worker) struct Buckets {
    /// Held while one job is booked: jobs of one worker would only be in each other's way.
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    clock: ServerClock,
    buckets: HashMap<String, Bucket>,
}

/// A bucket as it was last seen.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    sequence: u64,
    arrival: u64,
}

impl Buckets {
    /// Books a start in each of `rates` (a bucket's subject and its rate). `None`: it may start now, else: when.
    pub(in crate::worker) async fn book(
        &self,
        conn: &Connection,
        link: &Link,
        rates: &[(String, Rate)],
    ) -> Result<Option<SystemTime>, JobsError> {
        let mut known = self.known.lock().await;
        let now = known.clock.now(conn, link).await?;
        if known.buckets.len() > MAX_KNOWN {
            known.buckets.clear();
        }
        let mut start = now;
        for (subject, rate) in rates {
            let bucket = known.buckets.entry(subject.clone()).or_default();
            start = start.max(book_one(conn, link, subject, (*rate, now), bucket).await?);
        }
        Ok((start > now).then(|| instant(start)).flatten())
    }
}

/// Books one start; says when it may be.
async fn book_one(
    conn: &Connection,
    link: &Link,
    subject: &str,
    (rate, now): (Rate, u64),
    bucket: &mut Bucket,
) -> Result<u64, JobsError> {
    for _ in 0..MAX_CONFLICTS {
        let (arrival, start) = book(bucket.arrival, now, rate);
        let mut fields = HeaderMap::new();
        expect_newest(&mut fields, bucket.sequence);
        // Once the arrival time is over, the bucket says nothing any more.
        let life = arrival.saturating_sub(now) / 1_000_000 + 2;
        fields.insert("Nats-TTL", format!("{life}s"));
        let sent = conn.publish_acked(subject.to_owned(), fields, arrival.to_string());
        match sent.await {
            Ok(ack) => {
                let sequence = ack.sequence;
                *bucket = Bucket { sequence, arrival };
                return Ok(start);
            }
            Err(error) if wrong_sequence(&error).is_some() => {
                *bucket = read(conn, link, subject).await?;
            }
            Err(error) => return Err(JobsError::connection("book a start", error)),
        }
    }
    Err(JobsError::new(JobsErrorKind::Conflict, "book a start"))
}

async fn read(conn: &Connection, link: &Link, subject: &str) -> Result<Bucket, JobsError> {
    let found = last_at_leader(conn, &link.names().limits_stream(), subject).await?;
    Ok(found.map_or_else(Bucket::default, |found| Bucket {
        sequence: found.sequence,
        arrival: std::str::from_utf8(&found.payload)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0),
    }))
}
