//! The presence of one exclusive connection, from before its dial to its end.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use super::janitor::Janitor;
use crate::error::ConnectionError;
use crate::lease::Connection;
use crate::link::Held;
use crate::monitor::Place;
use crate::sharing::Share;
use crate::slot::Slot;

/// How the end of an exclusive connection went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CloseReport {
    /// The connection is closed; false if it stalled until the deadline. It does not reconnect then.
    pub closed: bool,
    /// Messages that were published and never confirmed: they may be lost. An upper bound.
    pub unconfirmed: u64,
}

/// Where exclusive connections come from.
pub(crate) trait Source: Send + Sync {
    /// A place for a connection that is not dialled yet.
    fn stay(&self) -> BoxFuture<'_, Result<Stay, ConnectionError>>;
    /// A lease on the client of `slot`, dialled if need be.
    fn take(
        &self,
        slot: Arc<Slot>,
        at: Place,
    ) -> BoxFuture<'_, Result<Connection, ConnectionError>>;
}

/// Dropped, it hands the connection to the janitor.
pub(crate) struct Stay(Option<Inner>);

struct Inner {
    slot: Arc<Slot>,
    link: Option<Share<Held>>,
    runtime: Handle,
    patience: Duration,
    registered: Registered,
}

/// Dropped last, when the connection is gone.
struct Registered {
    janitor: Arc<Janitor>,
    key: usize,
    _place: OwnedSemaphorePermit,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.janitor.forget(self.key);
    }
}

impl Stay {
    /// `patience`: so long the janitor tries to deliver what the owner left.
    pub(crate) fn new(
        janitor: &Arc<Janitor>,
        place: OwnedSemaphorePermit,
        slot: Arc<Slot>,
        runtime: Handle,
        patience: Duration,
    ) -> Self {
        let registered = Registered {
            janitor: Arc::clone(janitor),
            key: janitor.enter(Arc::clone(&slot)),
            _place: place,
        };
        Self(Some(Inner {
            slot,
            link: None,
            runtime,
            patience,
            registered,
        }))
    }

    /// Takes a lease on the connection, and dials it if it is not there (any more).
    pub(super) async fn lease(
        &mut self,
        source: &dyn Source,
        at: Place,
    ) -> Result<Option<Connection>, ConnectionError> {
        let Some(inner) = &mut self.0 else {
            return Ok(None);
        };
        match source.take(Arc::clone(&inner.slot), at).await {
            Ok(lease) => {
                inner.link = Some(lease.link());
                Ok(Some(lease))
            }
            Err(error) => {
                // Nothing to end.
                self.0 = None;
                Err(error)
            }
        }
    }

    /// Ends the connection by `deadline`. Dropped half-way, the janitor goes on with it.
    pub(super) async fn end(mut self, deadline: Instant) -> CloseReport {
        let link = self.0.as_ref().and_then(|inner| inner.link.clone());
        let report = close(link, deadline).await;
        self.0 = None;
        report
    }
}

impl Inner {
    /// Ends the connection within its patience, for the janitor. Not of `Stay`, whose drop would hand it over
    /// again where a runtime that ends drops this unpolled.
    async fn end(self) -> CloseReport {
        let link = match self.link {
            Some(link) => Some(link),
            // The owner left during the dial, which can't be called off.
            None => match timeout(self.patience, self.slot.acquire()).await {
                Ok(dialled) => dialled.ok(),
                Err(_elapsed) => None,
            },
        };
        let report = close(link, Instant::now() + self.patience).await;
        drop(self.registered);
        report
    }
}

async fn close(link: Option<Share<Held>>, deadline: Instant) -> CloseReport {
    let Some(link) = link else {
        return CloseReport::default();
    };
    let closing = link.close(deadline).await;
    CloseReport {
        closed: closing.ended,
        unconfirmed: closing.unconfirmed,
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        if let Some(inner) = self.0.take() {
            let (janitor, runtime) = (Arc::clone(&inner.registered.janitor), inner.runtime.clone());
            janitor.take_over(inner.end(), &runtime);
        }
    }
}
