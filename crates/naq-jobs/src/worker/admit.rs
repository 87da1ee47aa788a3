//! Whether a delivered job may run now; if not, it is put aside, without a slot, a retry or an attempt.
//!
//! ```text
//!   kind unknown ──── for less than `queues.unknown_kind_after` ──► PARKED, comes back soon ──► (again)
//!                └─── for longer ─────────────────────────────────► dead letter
//!   kind paused ──────────────────────────────────────────────────► PARKED until it is resumed
//!   another job is to end first ──────────────────────────────────► PARKED until it has
//!   beyond a rate ────────────────────────────────────────────────► sleeps until its own instant
//!   no place free for its limit key, or its kind ─────────────────► PARKED until one is
//!   everything else ──────────────────────────────────────────────► RUNS
//! ```

use std::time::{Duration, SystemTime};

use async_nats::HeaderMap;

use super::delivery::Delivered;
use super::holds::Hold;
use super::runner::Runner;
use super::sleep::Sleep;
use super::steering::Source;
use super::tally::Left;
use crate::control::{News, ParkedJob, push, read_kind};
use crate::parked::Why;
use crate::server::now_ms;
use crate::wire::{Envelope, UniqueSubject, headers, text};
use crate::{JobsError, failpoint};

/// How soon a job of an unknown kind comes back by itself: the first time, and at the most.
const UNKNOWN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// How often others are told at once of a job of an unknown kind; later it only comes back by itself. With two workers each
/// try meets the right one in half of the cases.
const TOLD: u32 = 20;

/// How soon a job of a paused kind comes back by itself, should nobody release it.
const PAUSED: Duration = Duration::from_secs(600);

/// How soon a unique job comes back by itself: the first time, and at the most.
const UNIQUE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How often a job was put aside for one reason, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waits {
    pub(super) times: u32,
    pub(super) since_ms: u64,
}

/// How a job is parked.
#[derive(Debug)]
pub(super) struct Parking<'a> {
    why: &'a Why,
    waits: Waits,
    /// When it comes back by itself.
    delay: Duration,
    /// Headers besides those that each parked job has.
    pub(super) more: HeaderMap,
}

impl<'a> Parking<'a> {
    pub(super) fn new(why: &'a Why, waits: Waits, delay: Duration) -> Self {
        Self {
            why,
            waits,
            delay,
            more: HeaderMap::new(),
        }
    }
}

impl Runner {
    /// Whether the job has to be looked at more closely before it runs. Most need not.
    pub(super) fn is_in_question(&self, job: &Delivered, envelope: &Envelope<'_>) -> bool {
        let is_unknown = !self.registry.knows(envelope.kind.as_str());
        let has_ended = !job.has_valid_id || job.deliveries > self.max_deliver(job);
        let is_marked = is_unknown || job.was_parked || self.steering.has_rules();
        is_marked && !has_ended
    }

    /// Puts the job aside if it may not run now, and says how it left.
    pub(super) async fn admit(
        &self,
        job: &mut Delivered,
        envelope: &Envelope<'_>,
        hold: &Hold,
    ) -> Result<Option<Left>, JobsError> {
        if hold.has_lapsed() {
            return Ok(Some(Left::Abandoned));
        }
        let kind = envelope.kind.as_str();
        if !self.registry.knows(kind) {
            return self.park_unknown(job, kind, hold).await;
        }
        if self.steering.is_paused(kind) {
            return self.park_paused(job, kind, hold).await;
        }
        if job.was_parked
            && let Some(left) = self.admit_after(job, hold).await?
        {
            return Ok(Some(left));
        }
        self.admit_by_limits(job, kind, hold).await
    }

    /// Lets a job wait for a worker that knows its kind.
    async fn park_unknown(
        &self,
        job: &Delivered,
        kind: &str,
        hold: &Hold,
    ) -> Result<Option<Left>, JobsError> {
        let why = Why::kind(kind);
        let waits = Waits::of(job, &why);
        let limit = self.link.settings().queues.unknown_kind_after;
        let waited = Duration::from_millis(now_ms().saturating_sub(waits.since_ms));
        let Some(left) = limit.checked_sub(waited).filter(|left| !left.is_zero()) else {
            return Ok(None);
        };
        let delay = waits.delay(UNKNOWN).min(left);
        self.park(job, hold, Parking::new(&why, waits, delay))
            .await?;
        if waits.times < TOLD {
            let news = News::Parked(ParkedJob {
                kind: kind.to_owned(),
                id: job.id.to_string(),
            });
            // Should nobody hear it, the job comes back by itself.
            if let Err(error) = push(&self.link, self.link.names().control(&job.queue), news).await
            {
                tracing::debug!(id = %job.id, %error, "could not tell of a parked job");
            }
        }
        Ok(Some(Left::Parked))
    }

    /// Lets a job wait until its kind is resumed.
    async fn park_paused(
        &self,
        job: &Delivered,
        kind: &str,
        hold: &Hold,
    ) -> Result<Option<Left>, JobsError> {
        let why = Why::kind(kind);
        let waits = Waits::of(job, &why);
        self.park(job, hold, Parking::new(&why, waits, PAUSED))
            .await?;
        // It may have been resumed in between, and what was parked then be released already.
        let conn = self.link.lease("look whether a kind is paused").await?;
        let setting = read_kind(&conn, &self.link, kind).await?;
        if setting.value.paused.is_none() {
            self.steering
                .set_kind_of(kind.to_owned(), setting, Source::Read);
            self.release_kind(&conn, Some(&job.queue), kind).await?;
        }
        Ok(Some(Left::Parked))
    }

    /// Writes the parked job. The delivery is acknowledged afterwards, as one that has left.
    pub(super) async fn park(
        &self,
        job: &Delivered,
        hold: &Hold,
        parking: Parking<'_>,
    ) -> Result<(), JobsError> {
        let Parking {
            why,
            waits,
            delay,
            mut more,
        } = parking;
        more.insert(
            headers::PARKED,
            format!("{} {}", waits.times + 1, why.as_str()),
        );
        more.insert(headers::PARKED_AT, waits.since_ms.to_string());
        // A unique job stays in the tree of its key, where nobody releases it: it comes back sooner.
        let is_unique = UniqueSubject::read(&job.message.subject).is_some();
        let (subject, delay) = match is_unique {
            true => {
                let names = self.link.names();
                let subject = names.sleep(&job.message.subject, &job.queue, &job.id);
                (subject, delay.min(waits.delay(UNIQUE)))
            }
            false => {
                let parked = self.link.names().parked(&job.queue, why.as_str(), &job.id);
                (parked, delay)
            }
        };
        let sleep = Sleep {
            subject,
            due: SystemTime::now().checked_add(delay),
            message_id: format!("{}:{}:parked", job.id, job.sequence),
            retries_done: job.retries_done,
            attempts: job.attempt().saturating_sub(1),
            headers: more,
        };
        self.settler(job, hold).sleep(sleep).await?;
        failpoint::reach("job-parked");
        Ok(())
    }
}

impl Waits {
    /// What the headers say, if the job was put aside for the same reason before.
    pub(super) fn of(job: &Delivered, why: &Why) -> Self {
        let fields = job.message.headers.as_ref();
        let before = text(fields, headers::PARKED).and_then(|text| text.split_once(' '));
        let times = before
            .filter(|(_, reason)| *reason == why.as_str())
            .and_then(|(times, _)| times.parse().ok());
        let since = text(fields, headers::PARKED_AT).and_then(|ms| ms.parse().ok());
        match (times, since) {
            (Some(times), Some(since_ms)) => Self { times, since_ms },
            _ => Self {
                times: 0,
                since_ms: now_ms(),
            },
        }
    }

    /// Doubled with each time.
    pub(super) fn delay(self, (first, most): (Duration, Duration)) -> Duration {
        let factor = 1_u32.checked_shl(self.times.min(16)).unwrap_or(u32::MAX);
        first.saturating_mul(factor).min(most)
    }
}
