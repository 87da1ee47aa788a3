//! What a connection is doing, as its holders see it.

/// State of a connection at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// What the connection is doing.
    pub phase: Phase,
    /// Grows at every connect and reconnect of the profile, and never goes back. What was sent in
    /// an earlier epoch and not confirmed in it may be lost; server-side state that is bound to a
    /// connection (pull requests) is gone.
    pub epoch: u64,
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Nobody has asked for a connection yet.
    Idle,
    /// The first connection, or the one after an end, is being made.
    Dialing,
    /// Connected.
    Connected,
    /// The connection dropped and is being restored.
    Reconnecting {
        /// Attempts made since the drop.
        attempts: u32,
    },
    /// The client ended: by shutdown, or with the runtime it ran on. The end of a lease; the next
    /// acquire dials anew, except after shutdown.
    Closed,
    /// The connection was given up. The end of a lease; the next acquire dials anew.
    Failed {
        /// Why it was given up.
        reason: Failure,
    },
}

/// Why a connection was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The dial failed.
    Dial,
    /// The server refused the credentials.
    Auth,
    /// `max_reconnect_attempts` attempts in a row failed.
    ReconnectsExhausted {
        /// Attempts made.
        attempts: u32,
    },
}

impl State {
    /// Whether the connection is up.
    pub fn is_connected(&self) -> bool {
        self.phase == Phase::Connected
    }

    /// Whether the client has ended and will not come back.
    pub fn is_terminal(&self) -> bool {
        matches!(self.phase, Phase::Closed | Phase::Failed { .. })
    }
}
