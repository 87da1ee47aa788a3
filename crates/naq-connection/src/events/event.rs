//! The events.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::ConnectionError;
use crate::lane::Lane;

/// Something that happened to a connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Event {
    /// Whose connection.
    pub profile: Arc<str>,
    /// Which of its connections.
    pub lane: Lane,
    /// The epoch that the connection was in, or has entered by this.
    pub epoch: u64,
    /// What happened.
    pub kind: EventKind,
}

/// What happened to a connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EventKind {
    /// The first connection, or the one after an end, is there.
    Connected,
    /// The connection dropped; the client is trying to restore it.
    Disconnected,
    /// The connection is restored, with its subscriptions.
    Reconnected {
        /// Time without a connection.
        down_for: Duration,
    },
    /// New leases are on a new connection. The old one gives no leases any more and is closed when
    /// its last one has come back.
    Replaced {
        /// Why.
        reason: ReplaceReason,
    },
    /// The attempt to replace the connection failed: the old one stays.
    ReplaceFailed {
        /// Why it was to be replaced.
        reason: ReplaceReason,
        /// Why that failed.
        error: ConnectionError,
    },
    /// The server is about to shut down.
    LameDuck,
    /// Nothing came in for `stall_timeout` although something was due: the connection is given up
    /// and made anew.
    Stalled,
    /// A subscription was too slow, and the client dropped a message.
    SlowConsumer {
        /// The client's number of the subscription.
        subscription: u64,
    },
    /// The server reports an error (for example a permission that is missing).
    ServerError {
        /// The server's words.
        text: String,
    },
    /// The server refused the credentials, twice in a row. The end of the connection's leases.
    AuthFailed,
    /// `max_reconnect_attempts` attempts in a row failed. The end of the connection's leases.
    GaveUp {
        /// Attempts made.
        attempts: u32,
    },
    /// A dial failed. One event per dial, whatever the number of those who wait for it.
    DialFailed {
        /// Why.
        error: ConnectionError,
    },
    /// The client has ended: it was replaced or shut down, or its runtime is gone.
    Closed,
}

/// Why a connection is replaced by a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplaceReason {
    /// [`rotate`](crate::ConnectionService::rotate) was called.
    Rotation,
    /// [`reload`](crate::ConnectionService::reload) brought other settings.
    Reload,
    /// The server is about to shut down.
    LameDuck,
    /// It reached `max_lifetime`.
    Lifetime,
    /// It has collected 10,000 requests whose caller did not wait for the reply: the client keeps
    /// a little memory for each.
    AbandonedRequests,
}

impl fmt::Display for ReplaceReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rotation => "rotation",
            Self::Reload => "other settings",
            Self::LameDuck => "the server is about to shut down",
            Self::Lifetime => "its lifetime is over",
            Self::AbandonedRequests => "too many abandoned requests",
        })
    }
}
