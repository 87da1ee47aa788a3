//! The states of a breaker, as a pure machine.
//!
//! ```text
//!               threshold failures in a row
//!   Closed ─────────────────────────────────────► Open ◄───────────────┐
//!     ▲                                             │ due, next call   │
//!     │                 next call                   ▼                  │
//!     │        Free ───────────────────────────► Probing ──────────────┘
//!     │         ▲                                 │   │      failed: the timer starts anew
//!     │         └─────────────────────────────────┘   │
//!     │              abandoned, or proved nothing     │ succeeded
//!     └───────────────────────────────────────────────┘
//!
//!  HalfOpen = Free or Probing.    reset: any ──► Closed
//! ```
//!
//! Every arrow starts a generation, and a call carries the one that let it in: what a call of an
//! earlier generation has to say is ignored.

use std::fmt;

/// What a breaker does with calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CircuitState {
    /// Lets all pass.
    Closed,
    /// Refuses all. It stays open until a call comes after the recovery time.
    Open,
    /// Refuses all but one, the probe.
    HalfOpen,
}

impl fmt::Display for CircuitState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        })
    }
}

/// Milliseconds since the breaker was made.
pub(super) type Millis = u64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    Closed { failures: u32 },
    Open { due: Millis },
    Probing,
    Free,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// At least 1.
    pub(super) threshold: u32,
    pub(super) recovery: Millis,
}

/// Permission for one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Ticket(u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Machine {
    pub(super) generation: u32,
    pub(super) stage: Stage,
}

impl Machine {
    /// Generations start again after this one.
    pub(super) const LAST_GENERATION: u32 = (1 << 24) - 1;

    pub(super) const NEW: Self = Self {
        generation: 0,
        stage: Stage::Closed { failures: 0 },
    };

    #[inline]
    pub(super) fn state(self) -> CircuitState {
        match self.stage {
            Stage::Closed { .. } => CircuitState::Closed,
            Stage::Open { .. } => CircuitState::Open,
            Stage::Probing | Stage::Free => CircuitState::HalfOpen,
        }
    }

    /// The part of [`admit`](Self::admit) that needs no clock.
    #[inline]
    pub(super) fn admit_closed(self) -> Option<Ticket> {
        let closed = matches!(self.stage, Stage::Closed { .. });
        closed.then_some(Ticket(self.generation))
    }

    /// `Err`: the time until a probe will be let through.
    pub(super) fn admit(self, now: Millis) -> (Self, Result<Ticket, Millis>) {
        match self.stage {
            Stage::Closed { .. } => (self, Ok(Ticket(self.generation))),
            Stage::Open { due } if now < due => (self, Err(due - now)),
            Stage::Open { .. } | Stage::Free => {
                let probing = self.enter(Stage::Probing);
                (probing, Ok(Ticket(probing.generation)))
            }
            Stage::Probing => (self, Err(0)),
        }
    }

    #[inline]
    pub(super) fn succeeded(self, ticket: Ticket) -> Self {
        if !self.is_current(ticket) {
            return self;
        }
        match self.stage {
            Stage::Closed { .. } => Self {
                stage: Stage::Closed { failures: 0 },
                ..self
            },
            Stage::Probing => self.enter(Stage::Closed { failures: 0 }),
            Stage::Open { .. } | Stage::Free => self,
        }
    }

    pub(super) fn failed(self, ticket: Ticket, rules: Rules, now: Millis) -> Self {
        if !self.is_current(ticket) {
            return self;
        }
        let open = Stage::Open {
            due: now.saturating_add(rules.recovery),
        };
        match self.stage {
            Stage::Closed { failures } if failures.saturating_add(1) < rules.threshold => Self {
                stage: Stage::Closed {
                    failures: failures + 1,
                },
                ..self
            },
            Stage::Closed { .. } | Stage::Probing => self.enter(open),
            Stage::Open { .. } | Stage::Free => self,
        }
    }

    /// The call ended and proved nothing: it was dropped, it panicked, its error does not count.
    pub(super) fn abandoned(self, ticket: Ticket) -> Self {
        if self.is_current(ticket) && self.stage == Stage::Probing {
            self.enter(Stage::Free)
        } else {
            self
        }
    }

    pub(super) fn reset(self) -> Self {
        self.enter(Stage::Closed { failures: 0 })
    }

    #[inline]
    pub(super) fn is_current(self, ticket: Ticket) -> bool {
        ticket.0 == self.generation
    }

    fn enter(self, stage: Stage) -> Self {
        Self {
            generation: (self.generation + 1) & Self::LAST_GENERATION,
            stage,
        }
    }
}
