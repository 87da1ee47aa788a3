//! JetStream on a lease.

use std::fmt;
use std::ops::Deref;
use std::panic::Location;

use async_nats::jetstream::Context;

use super::Connection;

/// The JetStream context of a lease, and the lease with it.
///
/// Dereferences to the client's [`Context`]. There is one context per client, so this costs no more
/// than the lease that it holds. What is published through it is not counted by
/// [`flush_confirmed`](Connection::flush_confirmed): await its acknowledgement, or use
/// [`publish_acked`](Connection::publish_acked).
///
/// Each error of the context turns into a [`ConnectionError`](crate::ConnectionError) with `?`.
#[derive(Clone)]
pub struct JetStream {
    connection: Connection,
}

impl JetStream {
    /// The lease that this holds.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl Connection {
    /// JetStream on this connection. What it returns is a lease of its own and may outlive this one.
    ///
    /// The time that one call of it may take is `request_timeout`. Unaccounted as
    /// [`client`](Self::client).
    #[must_use]
    #[track_caller]
    pub fn jetstream(&self) -> JetStream {
        JetStream {
            connection: self.clone_at(Location::caller()),
        }
    }
}

impl JetStream {
    /// Takes the lease over.
    pub(crate) fn on(connection: Connection) -> Self {
        Self { connection }
    }

    /// With a lease of its own that counts as taken where `connection` was.
    pub(crate) fn beside(connection: &Connection) -> Self {
        Self {
            connection: connection.clone_here(),
        }
    }
}

impl Deref for JetStream {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.connection.link.jetstream
    }
}

impl fmt::Debug for JetStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JetStream").field(&self.connection).finish()
    }
}
