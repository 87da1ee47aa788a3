//! The slots of one queue: a lane for each of its priorities.

use super::share::{self, Share};
use crate::control::QueueOrder;
use crate::model::Priority;

/// Lanes of a queue.
pub(in crate::worker) const LEVELS: usize = Priority::ALL.len();

/// The lane of the normal priority.
pub(super) const NORMAL: usize = 1;

/// What a lane asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::worker) struct Ask {
    pub(in crate::worker) count: u32,
    /// Only what is there: the request does not stay open.
    pub(in crate::worker) no_wait: bool,
}

/// What is set for a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::worker) struct QueueTerms {
    /// The most slots that it may have.
    pub(in crate::worker) cap: Option<u32>,
    pub(in crate::worker) order: QueueOrder,
}

/// The slots of one queue.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Queue {
    pub(super) lanes: [Lane; LEVELS],
    pub(super) terms: QueueTerms,
    pub(super) share: Share,
}

/// The slots of one priority of a queue.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lane {
    pub(super) asked: u32,
    pub(super) running: u32,
    /// The last that was heard is a job, not the end of a request without one.
    pub(super) is_warm: bool,
    pub(super) is_hungry: bool,
    /// The priority was ever used; the normal one always was.
    pub(super) is_open: bool,
}

impl Queue {
    pub(super) fn new() -> Self {
        let mut queue = Self::default();
        queue.lanes[NORMAL].is_open = true;
        queue
    }

    /// Whether it has more priorities than the normal one.
    pub(super) fn has_levels(&self) -> bool {
        self.lanes.iter().filter(|lane| lane.is_open).count() > 1
    }

    /// Slots that run or are about to.
    pub(super) fn firm(&self) -> u32 {
        let has_levels = self.has_levels();
        let firm = |lane: &Lane| match has_levels && !lane.is_warm {
            true => lane.running,
            false => lane.running + lane.asked,
        };
        self.lanes.iter().map(firm).sum()
    }

    /// Slots that it has. Requests that wait share one, if there is no other.
    pub(super) fn used(&self) -> u32 {
        let waits = self.lanes.iter().any(|lane| lane.asked > 0);
        self.firm().max(u32::from(waits))
    }

    pub(super) fn hungry(&self) -> u32 {
        self.lanes
            .iter()
            .map(|lane| u32::from(lane.is_hungry))
            .sum()
    }

    /// `rank` got a job. Before it asks again, those that come before it look whether they have jobs by now. (Were it when it
    /// asks, two lanes without jobs would send each other to look for ever.)
    pub(super) fn look_again(&mut self, rank: usize) {
        let others = match self.terms.order {
            QueueOrder::Strict => rank,
            QueueOrder::Weighted => LEVELS,
        };
        for other in (0..others).filter(|other| *other != rank) {
            let lane = &mut self.lanes[other];
            if lane.is_open && lane.asked == 0 && !lane.is_warm {
                lane.is_warm = true;
                self.share.wake(other);
            }
        }
    }

    /// What `rank` may ask for, with `free` slots for the queue.
    pub(super) fn ask(&self, rank: usize, free: u32) -> Ask {
        let lane = &self.lanes[rank];
        let nothing = Ask::default();
        if lane.asked > 0 || !lane.is_open {
            return nothing;
        }
        if !lane.is_warm {
            let is_quiet = !self
                .lanes
                .iter()
                .any(|other| other.is_open && other.is_warm);
            let count = u32::from(is_quiet && free > 0);
            return Ask {
                count,
                no_wait: false,
            };
        }
        let count = match self.terms.order {
            QueueOrder::Strict => {
                let is_first = !self.lanes[..rank]
                    .iter()
                    .any(|other| other.is_open && other.is_warm);
                if is_first { free } else { 0 }
            }
            QueueOrder::Weighted => {
                let warm = |other: usize| self.lanes[other].is_open && self.lanes[other].is_warm;
                if self.share.is_behind(rank, warm) {
                    free.min(share::WEIGHTS[rank])
                } else {
                    0
                }
            }
        };
        Ask {
            count,
            no_wait: true,
        }
    }
}
