//! Whether a job lies behind its consumer, where nobody will ever get it: a pure state machine.
//!
//! A server that loses its leader can take a job for delivered that was not, or for removed that is still there. The consumer has
//! no word for it; the stream shows the job, and the consumer says that it is past it.
//!
//! ```text
//!                a job came                       no more are there, or BUSY is over
//!      CLEAN ───────────────────► USED ──────────────────────────────────────────────► LOOKS
//!        ▲  ▲                                                                            │ │
//!        │  └───────────────────── nothing lies there (and no look for PAUSE) ───────────┘ │ one lies there
//!        └── after CONFIRM it has gone, or lies there still and is stored again ◄── SUSPECT ┘
//! ```
//!
//! A queue without jobs is never looked at. Time comes in as an argument.

use std::time::Duration;

use tokio::time::Instant;

/// Between two looks at a queue that is used.
const PAUSE: Duration = Duration::from_secs(60);

/// After so long a queue is looked at that always has jobs.
const BUSY: Duration = Duration::from_secs(300);

/// After so long a job lies there that has not just ended, or is not just coming.
const CONFIRM: Duration = Duration::from_secs(10);

/// When to look, and what was seen.
#[derive(Debug)]
pub(in crate::worker) struct Behind {
    /// Jobs came since the last look.
    is_used: bool,
    /// The sequence of a job that lay there.
    suspect: Option<u64>,
    /// The next look.
    due: Option<Instant>,
    /// Not before this.
    rests_until: Instant,
}

impl Behind {
    pub(in crate::worker) fn new(now: Instant) -> Self {
        Self {
            is_used: false,
            suspect: None,
            due: None,
            rests_until: now,
        }
    }

    /// A job came.
    pub(super) fn came(&mut self, now: Instant) {
        self.is_used = true;
        self.due.get_or_insert(now + BUSY);
    }

    /// The server has no more, for now.
    pub(super) fn no_more(&mut self, now: Instant) {
        if self.is_used && self.suspect.is_none() {
            self.due = Some(now.max(self.rests_until));
        }
    }

    /// The connection is a new one, perhaps since a server has gone.
    pub(super) fn reconnected(&mut self, now: Instant) {
        self.suspect = None;
        self.due = Some(now + CONFIRM);
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| now >= due)
    }

    /// Says up to where jobs shall be stored again. `is_working`: jobs of the queue are here that have not ended.
    pub(super) fn saw(
        &mut self,
        found: Option<u64>,
        is_working: bool,
        now: Instant,
    ) -> Option<u64> {
        self.is_used = false;
        self.rests_until = now + PAUSE;
        let confirmed = found.filter(|_| found == self.suspect);
        self.suspect = found.filter(|_| confirmed.is_none());
        self.due = match found {
            Some(_) => Some(now + CONFIRM),
            None => is_working.then(|| now + BUSY),
        };
        confirmed
    }

    /// The look failed.
    pub(super) fn failed(&mut self, now: Instant) {
        self.due = Some(now + CONFIRM);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_looked_at_after_jobs_came_and_not_too_often() {
        let mut now = Instant::now();
        let mut behind = Behind::new(now);
        behind.no_more(now);
        assert!(!behind.is_due(now + BUSY), "nothing ever came");
        behind.came(now);
        assert!(!behind.is_due(now));
        behind.no_more(now);
        assert!(behind.is_due(now));
        assert_eq!(behind.saw(None, false, now), None);
        behind.no_more(now);
        assert!(!behind.is_due(now + 2 * BUSY));
        behind.came(now);
        behind.no_more(now);
        assert!(!behind.is_due(now));
        now += PAUSE;
        assert!(behind.is_due(now));
        assert_eq!(behind.saw(None, true, now), None);
        assert!(!behind.is_due(now) && behind.is_due(now + BUSY), "one runs");
    }

    #[test]
    fn what_lies_there_twice_is_stored_again_and_looked_after() {
        let mut now = Instant::now();
        let mut behind = Behind::new(now);
        behind.reconnected(now);
        now += CONFIRM;
        assert!(behind.is_due(now));
        assert_eq!(behind.saw(Some(7), false, now), None);
        behind.came(now);
        behind.no_more(now);
        assert!(!behind.is_due(now), "it is given its time");
        now += CONFIRM;
        assert!(behind.is_due(now));
        assert_eq!(behind.saw(Some(8), false, now), None, "another one");
        now += CONFIRM;
        assert_eq!(behind.saw(Some(8), false, now), Some(8));
        now += CONFIRM;
        assert!(behind.is_due(now));
        assert_eq!(behind.saw(None, false, now), None);
        assert!(!behind.is_due(now + BUSY));
    }
}
