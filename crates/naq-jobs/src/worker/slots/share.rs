//! How the priorities of a queue share its slots when none goes strictly first: stride scheduling, pure.
//!
//! Each start costs a lane its stride; the lane that has spent least is the next one. A lane that was empty does not save up.

use super::queue::LEVELS;

/// Starts of the high, normal and low priority, while all have jobs.
pub(in crate::worker) const WEIGHTS: [u32; LEVELS] = [6, 2, 1];

/// The cost of one start: in the proportion of 1/6 : 1/2 : 1.
const STRIDES: [u64; LEVELS] = [1, 3, 6];

/// What each lane has spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Share([u64; LEVELS]);

impl Share {
    /// Whether no other lane that is `warm` has spent less.
    pub(super) fn is_behind(&self, rank: usize, warm: impl Fn(usize) -> bool) -> bool {
        let less = |other: usize| (self.0[other], other) < (self.0[rank], rank);
        !(0..LEVELS).any(|other| warm(other) && less(other))
    }

    /// `count` jobs were asked for.
    pub(super) fn spend(&mut self, rank: usize, count: u32) {
        self.0[rank] += STRIDES[rank] * u64::from(count);
    }

    /// `count` of them will not come.
    pub(super) fn refund(&mut self, rank: usize, count: u32) {
        self.0[rank] = self.0[rank].saturating_sub(STRIDES[rank] * u64::from(count));
    }

    /// A lane that was empty has jobs: it begins where the others are.
    pub(super) fn wake(&mut self, rank: usize) {
        let most = self.0.iter().copied().max().unwrap_or(0);
        self.0[rank] = self.0[rank].max(most.saturating_sub(STRIDES[LEVELS - 1]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_come_in_proportion_and_nobody_starves() {
        let mut share = Share::default();
        let mut starts = [0_u32; LEVELS];
        for _ in 0..90 {
            let next = (0..LEVELS)
                .find(|rank| share.is_behind(*rank, |_| true))
                .unwrap();
            share.spend(next, 1);
            starts[next] += 1;
        }
        assert_eq!(starts, [60, 20, 10]);
    }

    #[test]
    fn who_was_empty_has_saved_nothing() {
        let mut share = Share::default();
        share.spend(1, 100);
        share.wake(0);
        let mut first = 0;
        while share.is_behind(0, |rank| rank < 2) {
            share.spend(0, 1);
            first += 1;
        }
        assert!(first <= 7, "{first} in a row");
    }
}
