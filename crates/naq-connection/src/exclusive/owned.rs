//! A connection of one owner.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use tokio::time::Instant;

use super::stay::{CloseReport, Source, Stay};
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::lease::{Connection, end};
use crate::monitor::Place;

/// A connection with a client of its own; see
/// [`ConnectionService::exclusive`](crate::ConnectionService::exclusive).
///
/// Does what a [`Connection`] does. End it with [`close`](Self::close), which waits and tells what arrived.
/// When it is dropped instead, by an error, a panic or a cancellation too, the service flushes and
/// closes it in the background, within `drain_timeout`; shutdown waits for that. Clones and
/// subscriptions end with it.
pub struct Exclusive {
    lease: Connection,
    stay: Stay,
}

impl Exclusive {
    pub(crate) async fn open(source: &dyn Source, at: Place) -> Result<Self, ConnectionError> {
        let mut stay = source.stay().await?;
        match stay.lease(source, at).await? {
            Some(lease) => Ok(Self { lease, stay }),
            None => Err(gone()),
        }
    }

    /// Confirms what was published, drains, and waits until the connection is closed.
    ///
    /// Cancel safe: dropped half-way, the service goes on with it in the background.
    pub async fn close(self, deadline: Duration) -> CloseReport {
        self.stay.end(end(Instant::now(), deadline)).await
    }
}

/// The error of a connection that is not there.
pub(super) fn gone() -> ConnectionError {
    ConnectionError::new(
        ConnectionErrorKind::Closed,
        "the connection has been closed",
    )
}

impl Deref for Exclusive {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.lease
    }
}

impl fmt::Debug for Exclusive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Exclusive").field(&self.lease).finish()
    }
}
