//! A budget of retries that many callers share, so that an outage is not amplified.
//!
//! A bucket of tokens: a call puts in its share, each second puts in the floor, a retry takes one
//! out. What is above `BURST` spills. So in any span of time
//! `retries <= BURST + share × calls + floor × seconds`.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// Tokens that calm times can save up, and that a new budget starts with.
const BURST: f64 = 10.0;

/// Retries that many callers may make together. Clones share it.
///
/// With the default, retries add at most a tenth to the load of a server that is in trouble, and
/// one a second when there is next to no load.
#[derive(Debug, Clone)]
pub struct RetryBudget {
    bucket: Arc<Mutex<Bucket>>,
}

impl RetryBudget {
    /// Retries for `share` of the calls (0 to 1), and `floor` retries a second whatever the calls.
    /// Values outside are moved to the nearest inside.
    pub fn new(share: f64, floor: f64) -> Self {
        let bucket = Bucket::new(share, floor, Instant::now());
        Self {
            bucket: Arc::new(Mutex::new(bucket)),
        }
    }

    pub(super) fn count_call(&self) {
        self.with(Bucket::count_call);
    }

    /// False if a retry now would be one too many.
    pub(super) fn take(&self) -> bool {
        self.with(Bucket::take)
    }

    fn with<R>(&self, act: impl FnOnce(&mut Bucket, Instant) -> R) -> R {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut bucket, Instant::now())
    }
}

impl Default for RetryBudget {
    /// A tenth of the calls, and one retry a second.
    fn default() -> Self {
        Self::new(0.1, 1.0)
    }
}

#[derive(Debug)]
struct Bucket {
    share: f64,
    floor: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn new(share: f64, floor: f64, now: Instant) -> Self {
        Self {
            // `max`: what is not a number counts as 0.
            share: share.clamp(0.0, 1.0).max(0.0),
            floor: floor.clamp(0.0, f64::MAX).max(0.0),
            tokens: BURST,
            filled: now,
        }
    }

    fn count_call(&mut self, now: Instant) {
        self.tokens += self.share;
        self.fill(now);
    }

    fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }

    fn fill(&mut self, now: Instant) {
        // Callers read the clock before they take the lock: a late one must not turn it back.
        let elapsed = now.saturating_duration_since(self.filled);
        self.filled = self.filled.max(now);
        self.tokens = (self.tokens + self.floor * elapsed.as_secs_f64()).min(BURST);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn granted(bucket: &mut Bucket, now: Instant, wanted: usize) -> usize {
        (0..wanted).filter(|_| bucket.take(now)).count()
    }

    #[test]
    fn a_share_of_the_calls_may_be_retried() {
        let now = Instant::now();
        let mut bucket = Bucket::new(0.25, 0.0, now);
        assert_eq!(granted(&mut bucket, now, 100), 10, "the burst");
        (0..20).for_each(|_| bucket.count_call(now));
        assert_eq!(granted(&mut bucket, now, 100), 5);
    }

    #[test]
    fn without_calls_the_floor_remains() {
        let now = Instant::now();
        let mut bucket = Bucket::new(0.1, 2.0, now);
        granted(&mut bucket, now, 100);
        assert_eq!(granted(&mut bucket, now + Duration::from_secs(3), 100), 6);
    }

    #[test]
    fn a_long_calm_saves_up_no_more_than_the_burst() {
        let now = Instant::now();
        let mut bucket = Bucket::new(1.0, 100.0, now);
        (0..1000).for_each(|_| bucket.count_call(now));
        let later = now + Duration::from_secs(3600);
        assert_eq!(granted(&mut bucket, later, 1000), 10);
    }

    #[test]
    fn odd_settings_grant_nothing_beyond_the_burst() {
        let now = Instant::now();
        let mut bucket = Bucket::new(f64::NAN, f64::NAN, now);
        bucket.count_call(now);
        let later = now + Duration::from_secs(3600);
        assert_eq!(granted(&mut bucket, later, 100), 10);
    }

    proptest! {
        #[test]
        fn retries_never_exceed_the_promise(
            share in 0.0..=1.0,
            floor in 0.0..=5.0,
            steps in prop::collection::vec((0..3_u8, 0..400_u64), 1..200),
        ) {
            let start = Instant::now();
            let (mut now, mut calls, mut retries) = (start, 0.0, 0.0);
            let mut bucket = Bucket::new(share, floor, start);
            for (what, millis) in steps {
                now += Duration::from_millis(millis);
                if what == 0 {
                    bucket.count_call(now);
                    calls += 1.0;
                } else if bucket.take(now) {
                    retries += 1.0;
                }
            }
            let seconds = (now - start).as_secs_f64();
            prop_assert!(retries <= BURST + share * calls + floor * seconds + 1e-6);
        }
    }
}
