//! Exponential delays with full jitter: uniform in `0..=ceiling`, the ceiling doubling from 10 ms
//! to a cap. Full jitter keeps the clients of a restarted server from coming back all at once.

use std::time::Duration;

const START: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    cap: Duration,
}

impl Backoff {
    pub(crate) fn new(cap: Duration) -> Self {
        Self { cap }
    }

    /// The longest delay of step `step` (from 0).
    pub(crate) fn ceiling(self, step: u32) -> Duration {
        START
            .saturating_mul(2_u32.saturating_pow(step))
            .min(self.cap)
    }

    /// A random delay for step `step`.
    pub(crate) fn jittered(self, step: u32) -> Duration {
        self.ceiling(step).mul_f64(fastrand::f64())
    }

    /// As [`jittered`](Self::jittered), but never below the first step: a pause that must be one.
    pub(crate) fn pause(self, step: u32) -> Duration {
        self.jittered(step).max(START)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_from_ten_milliseconds_up_to_the_cap() {
        let backoff = Backoff::new(Duration::from_millis(500));
        let ceilings: Vec<_> = (0..8).map(|s| backoff.ceiling(s).as_millis()).collect();
        assert_eq!(ceilings, [10, 20, 40, 80, 160, 320, 500, 500]);
        assert_eq!(backoff.ceiling(u32::MAX), Duration::from_millis(500));
    }

    #[test]
    fn a_cap_below_the_first_step_holds() {
        let backoff = Backoff::new(Duration::from_millis(3));
        assert!((0..100).all(|step| backoff.jittered(step) <= Duration::from_millis(3)));
    }

    #[test]
    fn delays_are_spread_over_the_whole_range() {
        let backoff = Backoff::new(Duration::from_secs(1));
        let delays: Vec<_> = (0..1000).map(|_| backoff.jittered(20)).collect();
        assert!(delays.iter().any(|d| *d < Duration::from_millis(200)));
        assert!(delays.iter().any(|d| *d > Duration::from_millis(800)));
    }
}
