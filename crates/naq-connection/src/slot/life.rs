//! The life of one client after its dial: connected, lost, restored, over. Pure.
//!
//! Clients of a profile take their epochs from one counter, so that the epochs of a client that was
//! replaced and of the one after it never meet. What the client itself reports (connects so far)
//! is what counts: no flap is missed and none is counted twice.

use crate::state::{Phase, State};

#[derive(Debug, Clone)]
pub(super) struct Life {
    state: State,
    connects: u64,
}

impl Life {
    /// A client that has just connected for the first time.
    pub(super) fn new(epochs: &mut u64) -> Self {
        *epochs += 1;
        Self {
            state: State {
                phase: Phase::Connected,
                epoch: *epochs,
            },
            connects: 1,
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// What the client says of itself: how often it connected, whether it is up now, and the
    /// attempts since it last was.
    pub(super) fn observed(&mut self, epochs: &mut u64, connects: u64, up: bool, attempts: u32) {
        if self.state.is_terminal() {
            return;
        }
        let unseen = connects.saturating_sub(self.connects);
        if unseen > 0 {
            *epochs = epochs.saturating_add(unseen);
            self.state.epoch = *epochs;
            self.connects = connects;
        }
        self.state.phase = if up {
            Phase::Connected
        } else {
            Phase::Reconnecting { attempts }
        };
    }

    /// It is over, for the reason that `phase` gives; the first reason stays.
    pub(super) fn end(&mut self, phase: Phase) {
        if !self.state.is_terminal() {
            self.state.phase = phase;
        }
    }
}
