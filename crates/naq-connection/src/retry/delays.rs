//! How long to wait before a retry: `first × factor^step`, never above the cap. With full jitter
//! any part of it, so that those who failed together do not come back together.

use std::time::Duration;

#[derive(Debug, Clone, Copy)]
pub(super) struct Delays {
    pub(super) first: Duration,
    /// Below 1, or not a number: counts as 1.
    pub(super) factor: f64,
    pub(super) cap: Duration,
    pub(super) jitter: bool,
}

impl Delays {
    /// The wait before retry `step` (from 0). `draw` in `0..=1` is the part of it that jitter takes.
    pub(super) fn wait(self, step: u32, draw: f64) -> Duration {
        let ceiling = self.ceiling(step);
        if self.jitter {
            scaled(ceiling, draw).map_or(ceiling, |wait| wait.min(ceiling))
        } else {
            ceiling
        }
    }

    fn ceiling(self, step: u32) -> Duration {
        if self.first.is_zero() {
            return Duration::ZERO;
        }
        let growth = self.factor.max(1.0);
        let growth = growth.powi(i32::try_from(step).unwrap_or(i32::MAX));
        // `None`: longer than a Duration can say.
        scaled(self.first, growth).map_or(self.cap, |wait| wait.min(self.cap))
    }
}

fn scaled(duration: Duration, by: f64) -> Option<Duration> {
    if by == 1.0 {
        return Some(duration);
    }
    Duration::try_from_secs_f64(duration.as_secs_f64() * by).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn delays(first: Duration, factor: f64, cap: Duration, jitter: bool) -> Delays {
        Delays {
            first,
            factor,
            cap,
            jitter,
        }
    }

    #[test]
    fn delays_double_up_to_the_cap() {
        let second = Duration::from_secs(1);
        let delays = delays(second, 2.0, Duration::from_secs(30), false);
        let waits: Vec<_> = (0..7)
            .map(|step| delays.wait(step, 0.3).as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
    }

    #[test]
    fn jitter_takes_the_drawn_part_of_the_delay() {
        let delays = delays(Duration::from_secs(1), 2.0, Duration::MAX, true);
        assert_eq!(delays.wait(3, 0.25), Duration::from_secs(2));
        assert_eq!(delays.wait(3, 0.0), Duration::ZERO);
        assert_eq!(delays.wait(3, 1.0), Duration::from_secs(8));
    }

    #[test]
    fn a_delay_of_zero_stays_zero_at_any_step() {
        let delays = delays(Duration::ZERO, 10.0, Duration::MAX, false);
        assert_eq!(delays.wait(u32::MAX, 1.0), Duration::ZERO);
    }

    #[test]
    fn a_factor_that_would_shrink_the_delay_counts_as_one() {
        let second = Duration::from_secs(1);
        for factor in [0.5, 0.0, -2.0, f64::NAN, f64::NEG_INFINITY] {
            let delays = delays(second, factor, Duration::MAX, false);
            assert_eq!(delays.wait(3, 1.0), second, "{factor}");
        }
    }

    fn any_duration() -> impl Strategy<Value = Duration> {
        (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(s, n)| Duration::new(s, n))
    }

    proptest! {
        #[test]
        fn no_setting_panics_exceeds_the_cap_or_shrinks(
            first in any_duration(),
            factor in any::<f64>(),
            cap in any_duration(),
            step in prop_oneof![0..70_u32, any::<u32>()],
            draw in 0.0..=1.0,
        ) {
            let plain = delays(first, factor, cap, false);
            let wait = plain.wait(step, draw);
            prop_assert!(wait <= cap);
            prop_assert!(plain.wait(step.saturating_add(1), draw) >= wait);
            prop_assert_eq!(plain.wait(0, draw), first.min(cap));
            prop_assert!(delays(first, factor, cap, true).wait(step, draw) <= wait);
        }
    }
}
