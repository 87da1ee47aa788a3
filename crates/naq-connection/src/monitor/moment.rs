//! A clock that costs little, for ages in a list that people read.
//!
//! Each lease notes when it was taken, and the exact clock is a fifth of what a lease costs. The
//! coarse one is behind by a tick of the system at most: 1 to 10 ms.

use std::time::Duration;

/// A point in time, exact to some milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment(Duration);

impl Moment {
    #[cfg(target_os = "linux")]
    pub(super) fn now() -> Self {
        use rustix::time::{ClockId, clock_gettime};
        // It begins at the boot, so nothing in it is negative.
        let now = clock_gettime(ClockId::MonotonicCoarse);
        let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
        let nanos = u32::try_from(now.tv_nsec).unwrap_or(0);
        Self(Duration::new(seconds, nanos))
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn now() -> Self {
        use std::sync::LazyLock;
        use std::time::Instant;
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        Self(START.elapsed())
    }

    pub(super) fn elapsed(self) -> Duration {
        Self::now().since(self)
    }

    pub(super) fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn it_keeps_up_with_the_exact_clock() {
        const TICK: Duration = Duration::from_millis(20);
        let (exact, coarse) = (Instant::now(), Moment::now());
        while exact.elapsed() < 3 * TICK {
            std::hint::spin_loop();
        }
        let (took, seen) = (exact.elapsed(), coarse.elapsed());
        assert!(
            seen + TICK > took && seen < took + TICK,
            "{seen:?} {took:?}"
        );
    }
}
