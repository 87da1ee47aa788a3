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
    /// The most jobs of one priority that the server gives out, where a limit counts all priorities together.
    pub(in crate::worker) given: Option<u32>,
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
    /// Jobs that are here and hold no slot, since they wait for a place of the queue.
    pub(super) in_line: u32,
    /// The last that was heard is a job, not the end of a request without one.
    pub(super) is_warm: bool,
    pub(super) is_hungry: bool,
    /// The priority was ever used; the normal one always was.
    pub(super) is_open: bool,
    /// What is asked for stays open at the server, though the queue has other priorities by now: it has to be withdrawn.
    pub(super) is_outdated: bool,
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

    /// Jobs that the server may give out of `rank` besides those that are here.
    fn room(&self, rank: usize) -> u32 {
        let lane = &self.lanes[rank];
        let here = lane.running + lane.in_line + lane.asked;
        self.terms
            .given
            .map_or(u32::MAX, |given| given.saturating_sub(here))
    }

    /// Whether the server gives out no more of `rank`: some of those that are here wait in line.
    pub(super) fn is_full(&self, rank: usize) -> bool {
        self.room(rank) == 0
    }

    fn is_warm(&self, rank: usize) -> bool {
        self.lanes[rank].is_open && self.lanes[rank].is_warm
    }

    /// What `rank` may ask for, with `free` slots for the queue.
    ///
    /// A lane that is full does not ask. Strict: it keeps the lower ones back all the same, since those of it that wait in
    /// line come before theirs. It does not keep anybody else back.
    pub(super) fn ask(&self, rank: usize, free: u32) -> Ask {
        let lane = &self.lanes[rank];
        let nothing = Ask::default();
        if lane.asked > 0 || !lane.is_open || self.is_full(rank) {
            return nothing;
        }
        let is_strict = self.terms.order == QueueOrder::Strict;
        let is_kept_back = |other: usize| is_strict && (0..other).any(|first| self.is_warm(first));
        let counts = |other: usize| match other != rank && self.is_warm(other) {
            true if is_strict && other < rank => true,
            true => !self.is_full(other) && !is_kept_back(other),
            false => false,
        };
        if !lane.is_warm {
            let is_quiet = !(0..LEVELS).any(counts);
            return Ask {
                count: u32::from(is_quiet && free > 0),
                no_wait: false,
            };
        }
        let has_turn = match self.terms.order {
            QueueOrder::Strict => !(0..rank).any(counts),
            QueueOrder::Weighted => self.share.is_behind(rank, counts),
        };
        let most = match self.terms.order {
            QueueOrder::Strict => free,
            QueueOrder::Weighted => free.min(share::WEIGHTS[rank]),
        };
        Ask {
            count: if has_turn {
                most.min(self.room(rank))
            } else {
                0
            },
            no_wait: true,
        }
    }
}
