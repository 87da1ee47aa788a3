//! When to start again, and when to give up. Pure: no clock, no process, no randomness of its own.
//!
//! ```text
//!              ready                     lost
//!  Starting ──────────► Running ──────────────────┐
//!     ▲ │                  │                      ▼
//!     │ └── lost ──────────┼───────────────► lost in a row > policy? ──yes──► Failed
//!     │                    │ told down            │ no                          │
//!     │ due                ▼                      ▼                             │ told to start
//!     ├───────────────── Down ◄── told down ── BackingOff                       │
//!     │                    │                      │ due                         │
//!     └────────────────────┴── told to start ─────┴─────────────────────────────┘
//! ```
//!
//! A server that ran for `stable_after` has paid off its earlier losses: the count in a row starts anew.

use std::time::Duration;

use super::status::Phase;

/// How a server that dies by itself is brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartPolicy {
    /// Losses in a row after which it is given up. Default 10.
    pub max_in_a_row: u32,
    /// Upper bound of the wait before the first restart; doubles with each further loss. Default 50 ms.
    pub base_delay: Duration,
    /// Upper bound of every wait. Default 5 s.
    pub max_delay: Duration,
    /// Time after which a running server counts as recovered. Default 10 s.
    pub stable_after: Duration,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            max_in_a_row: 10,
            base_delay: Duration::from_millis(50),
            max_delay: Duration::from_secs(5),
            stable_after: Duration::from_secs(10),
        }
    }
}

/// The state, and how often in a row it was lost.
#[derive(Debug)]
pub(super) struct Machine {
    policy: RestartPolicy,
    phase: Phase,
    lost_in_a_row: u32,
}

/// What to do after a loss.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    StartAfter(Duration),
    GiveUp,
}

impl Machine {
    /// A machine whose server runs.
    pub(super) fn running(policy: RestartPolicy) -> Self {
        Self {
            policy,
            phase: Phase::Running,
            lost_in_a_row: 0,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// The process serves.
    pub(super) fn ready(&mut self) {
        self.phase = Phase::Running;
    }

    /// The process is gone, and nobody asked for it. `ran` is the time it served; `jitter` is in 0..1.
    pub(super) fn lost(&mut self, ran: Duration, jitter: f64) -> Next {
        if ran >= self.policy.stable_after {
            self.lost_in_a_row = 0;
        }
        self.lost_in_a_row += 1;
        if self.lost_in_a_row > self.policy.max_in_a_row {
            self.phase = Phase::Failed;
            return Next::GiveUp;
        }
        self.phase = Phase::BackingOff;
        let doublings = (self.lost_in_a_row - 1).min(20);
        let bound = (self.policy.base_delay * (1 << doublings)).min(self.policy.max_delay);
        Next::StartAfter(bound.mul_f64(jitter))
    }

    /// The wait is over.
    pub(super) fn due(&mut self) {
        self.phase = Phase::Starting;
    }

    /// Somebody asked for it to be down.
    pub(super) fn told_down(&mut self) {
        self.phase = Phase::Down;
        self.lost_in_a_row = 0;
    }

    /// Somebody asked for it to be up.
    pub(super) fn told_to_start(&mut self) {
        self.phase = Phase::Starting;
        self.lost_in_a_row = 0;
    }

    /// The start that somebody asked for failed; they have been told, so it is not repeated behind their back.
    pub(super) fn refused(&mut self) {
        self.phase = Phase::Failed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(1);

    fn machine(max_in_a_row: u32) -> Machine {
        Machine::running(RestartPolicy {
            max_in_a_row,
            ..RestartPolicy::default()
        })
    }

    #[test]
    fn waits_double_up_to_the_bound() {
        let mut m = machine(100);
        let waits: Vec<Next> = (0..9).map(|_| m.lost(SHORT, 1.0)).collect();
        let ms = |ms| Next::StartAfter(Duration::from_millis(ms));
        assert_eq!(waits[..3], [ms(50), ms(100), ms(200)]);
        assert_eq!(waits[7..], [ms(5000), ms(5000)]);
    }

    #[test]
    fn gives_up_after_the_allowed_losses_in_a_row() {
        let mut m = machine(2);
        for _ in 0..2 {
            assert!(matches!(m.lost(SHORT, 0.5), Next::StartAfter(_)));
            m.due();
            m.ready();
        }
        assert_eq!(m.lost(SHORT, 0.5), Next::GiveUp);
        assert_eq!(m.phase(), Phase::Failed);
    }

    #[test]
    fn a_stable_run_pays_off_earlier_losses() {
        let mut m = machine(1);
        for _ in 0..10 {
            assert!(matches!(
                m.lost(Duration::from_secs(11), 0.5),
                Next::StartAfter(_)
            ));
            m.due();
            m.ready();
        }
    }

    #[test]
    fn a_start_on_request_forgives_everything() {
        let mut m = machine(1);
        let _ = m.lost(SHORT, 0.0);
        assert_eq!(m.lost(SHORT, 0.0), Next::GiveUp);
        m.told_to_start();
        m.ready();
        assert!(matches!(m.lost(SHORT, 0.0), Next::StartAfter(_)));
    }

    #[test]
    fn no_number_of_losses_overflows_the_wait() {
        let mut m = machine(u32::MAX);
        for _ in 0..200 {
            assert!(matches!(m.lost(SHORT, 1.0), Next::StartAfter(_)));
        }
    }
}
