//! The jobs of one round, drawn by a seed.

use std::time::Duration;

use fastrand::Rng;
use naq_it::{MIXED, Mixed};
use naq_jobs::{Job, Priority, RetryPolicy, Unique};

use crate::setup::job_id;

/// The queue with priorities, keys and a limit over all of them.
pub(super) const MIX: &str = "mix";

/// The queue with a rate.
pub(super) const RATED: &str = "rated";

/// The queue without any limit.
pub(super) const FREE: &str = "free";

/// Jobs of `MIX` that may run at the same time, and those of one key.
pub(super) const LIMITS: (u32, u32) = (4, 2);

/// Starts of `RATED` per second, and at once.
pub(super) const RATE: (u32, u32) = (40, 5);

/// A payload beyond what fits into a message of the engine.
const LARGE: usize = 600_000;

/// One job, as the test means it.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    pub(super) id: String,
    pub(super) queue: &'static str,
    pub(super) priority: Priority,
    pub(super) limit_key: Option<&'static str>,
    pub(super) unique: Option<String>,
    pub(super) keeps_result: bool,
    pub(super) retries: u32,
    pub(super) delay: Option<Duration>,
    /// When it is cancelled, counted from its enqueue.
    pub(super) cancel_after: Option<Duration>,
    pub(super) work: Mixed,
}

impl Spec {
    /// The `number`th job of a round.
    pub(super) fn draw(rng: &mut Rng, round: u32, number: u32) -> Self {
        let queue = *rng.choice(&[MIX, MIX, MIX, RATED, FREE]).unwrap_or(&MIX);
        let is_mix = queue == MIX;
        let priority = match rng.u8(0..6) {
            0 | 1 if is_mix => Priority::High,
            2 if is_mix => Priority::Low,
            _ => Priority::Normal,
        };
        let tenants = ["acme", "globex", "initech"];
        let retries = rng.u32(0..3);
        let one_in = |rng: &mut Rng, n: u32| rng.u32(0..n) == 0;
        let is_large = one_in(rng, 40);
        Self {
            id: format!("r{round}-{number}"),
            queue,
            priority,
            limit_key: (is_mix && one_in(rng, 2)).then(|| tenants[rng.usize(0..3)]),
            unique: one_in(rng, 8).then(|| format!("key-{}", rng.u8(0..4))),
            keeps_result: !one_in(rng, 6),
            retries,
            delay: one_in(rng, 8).then(|| Duration::from_millis(rng.u64(200..1500))),
            cancel_after: one_in(rng, 12).then(|| Duration::from_millis(rng.u64(0..400))),
            work: Mixed {
                millis: if one_in(rng, 30) {
                    rng.u64(500..3000)
                } else {
                    rng.u64(0..40)
                },
                fails: match rng.u8(0..20) {
                    0 => u32::MAX,
                    1..=3 => rng.u32(0..=retries),
                    _ => 0,
                },
                snoozes: one_in(rng, 15),
                tells: one_in(rng, 5),
                result: if one_in(rng, 60) {
                    LARGE
                } else {
                    rng.usize(0..50)
                },
                padding: if is_large {
                    "p".repeat(LARGE)
                } else {
                    String::new()
                },
            },
        }
    }

    /// Whether its last attempt fails.
    pub(super) fn is_to_fail(&self) -> bool {
        self.work.fails == u32::MAX
    }

    /// Whether it leaves an outcome when it completes.
    pub(super) fn leaves_outcome(&self) -> bool {
        self.keeps_result || !self.work.padding.is_empty()
    }

    /// What is enqueued.
    pub(super) fn job(&self) -> Job<String> {
        let delay = if self.retries > 1 { 1100 } else { 30 };
        let mut job = MIXED
            .job(&self.work)
            .unwrap()
            .id(job_id(&self.id))
            .queue(self.queue)
            .unwrap()
            .priority(self.priority)
            .retry(RetryPolicy::fixed(
                self.retries,
                Duration::from_millis(delay),
            ));
        if let Some(key) = self.limit_key {
            job = job.limit_key(key).unwrap();
        }
        if let Some(key) = &self.unique {
            job = job.unique(Unique::key(key));
        }
        if let Some(delay) = self.delay {
            job = job.delay(delay);
        }
        if self.keeps_result {
            job
        } else {
            job.discard_result()
        }
    }
}
