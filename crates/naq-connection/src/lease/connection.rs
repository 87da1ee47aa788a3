//! The lease.

use std::fmt;
use std::panic::Location;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use async_nats::{Client, ServerInfo};
use tokio::sync::watch;

use super::flush::CLEAN;
use crate::link::Held;
use crate::monitor::{Key, Place};
use crate::sharing::Share;
use crate::sharing::Token;
use crate::state::State;

/// A lease on a profile's shared connection.
///
/// All leases of a profile use one multiplexed client, so a lease costs no connection. Dropping it
/// is synchronous and never waits; what was published and not confirmed by
/// [`flush_confirmed`](Self::flush_confirmed) is still sent, but nobody learns whether it arrived.
/// A clone is a lease of its own.
///
/// The lease outlives drops of the connection: the client reconnects by itself. When the connection
/// is replaced (by a rotation, a reload, a server that is about to shut down), the lease stays on
/// the old one, which is closed only when its last lease has come back; if that takes longer than
/// `drain_timeout`, it sees a reconnect to the newest settings. The lease does not outlive the
/// client: after [`State::is_terminal`] every call fails, and a new lease must be acquired.
///
/// Every call has a deadline: the one of the settings, or the argument of its `_within` variant.
/// Dropping a call's future before it is done is safe; a message that was handed to the client by
/// then is sent all the same.
pub struct Connection {
    pub(super) link: Share<Held>,
    /// The oldest epoch with unconfirmed messages of this lease.
    pub(super) unconfirmed_since: AtomicU64,
    token: Token,
    place: Place,
    key: Key,
    /// In place of the one of the settings.
    request_timeout: Option<Duration>,
}

impl Connection {
    /// `place`: where in the caller's source it is taken.
    pub(crate) fn new(link: Share<Held>, token: Token, place: Place) -> Self {
        let key = link.meter().enter(place);
        Self::noted(link, token, place, key)
    }

    /// As [`new`](Self::new), and counts it as one that nobody had to wait for.
    pub(crate) fn at_once(link: Share<Held>, token: Token, place: Place) -> Self {
        let key = link.meter().enter_at_once(place);
        Self::noted(link, token, place, key)
    }

    fn noted(link: Share<Held>, token: Token, place: Place, key: Key) -> Self {
        Self {
            link,
            unconfirmed_since: AtomicU64::new(CLEAN),
            token,
            place,
            key,
            request_timeout: None,
        }
    }

    pub(crate) fn link(&self) -> Share<Held> {
        self.link.clone()
    }

    /// A clone that counts as taken where this one was.
    pub(super) fn clone_here(&self) -> Self {
        self.clone_at(self.place)
    }

    pub(super) fn clone_at(&self, place: Place) -> Self {
        let link = self.link.clone();
        let token = link.leases().double(&self.token);
        let mut clone = Self::new(link, token, place);
        clone.request_timeout = self.request_timeout;
        clone
    }

    /// The client itself, for what this type does not offer.
    ///
    /// Unaccounted: its calls have no deadlines of ours and are not counted as unconfirmed, and a
    /// clone is no lease. It stops with the last lease if it is not connected then.
    pub fn client(&self) -> &Client {
        &self.link.client
    }

    /// What the server told at the last connect.
    pub fn server_info(&self) -> ServerInfo {
        self.link.client.server_info()
    }

    /// The largest message (headers and payload) that the server takes, in bytes.
    pub fn max_payload(&self) -> usize {
        self.link.client.max_payload()
    }

    /// What the connection is doing now.
    pub fn state(&self) -> State {
        self.link.state()
    }

    /// Follows what the connection is doing. Changes in quick succession may be seen as one; the
    /// epoch shows reconnects that were not seen.
    pub fn states(&self) -> watch::Receiver<State> {
        self.link.states()
    }

    /// Whether new leases are on another connection, since this one was replaced. It goes on working;
    /// who holds a lease for long and can take a new one spares it the reconnect.
    pub fn is_replaced(&self) -> bool {
        self.link.is_retired()
    }

    /// The time that one request may take: `nats.request_timeout`, or what [`with_request_timeout`](Self::with_request_timeout) said.
    pub fn request_timeout(&self) -> Duration {
        self.request_timeout.unwrap_or(self.link.request_timeout)
    }

    /// The same lease with another time for each call. Shorter: for who would rather ask again, since a request that falls into
    /// an election of a cluster may never be answered.
    #[must_use]
    pub fn with_request_timeout(mut self, limit: Duration) -> Self {
        self.request_timeout = Some(limit);
        self
    }
}

impl Clone for Connection {
    #[track_caller]
    fn clone(&self) -> Self {
        self.clone_at(Location::caller())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.link.meter().leave(self.key);
        self.link.leases().leave(&self.token);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
