//! Telling and listening.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::event::Event;

/// Events that wait for a slow listener; the oldest go first.
const KEPT: usize = 1024;

/// Tells events to whoever listens. A clone tells the same listeners.
///
/// The channel is made for the first who listens: its room for all that is kept is most of what a new
/// service would cost.
#[derive(Clone, Default)]
pub(crate) struct Announcer(Arc<OnceLock<broadcast::Sender<Event>>>);

impl Announcer {
    pub(crate) fn tell(&self, event: Event) {
        if let Some(listeners) = self.0.get() {
            // Nobody listening any more is no error.
            let _listeners = listeners.send(event);
        }
    }

    pub(crate) fn listen(&self) -> Events {
        let listeners = self.0.get_or_init(|| broadcast::Sender::new(KEPT));
        Events(listeners.subscribe())
    }
}

/// The events of a service from now on; see
/// [`ConnectionService::events`](crate::ConnectionService::events).
pub struct Events(broadcast::Receiver<Event>);

/// So many events were missed, exactly: the listener was too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed(
    /// Events missed.
    pub u64,
);

impl Events {
    /// The next event; `None` when the service and all its leases are gone. Cancel safe.
    ///
    /// The last 1024 events are kept for a slow listener. It is told once how many it has missed,
    /// and goes on with the oldest one that is left.
    pub async fn next(&mut self) -> Option<Result<Event, Missed>> {
        match self.0.recv().await {
            Ok(event) => Some(Ok(event)),
            Err(RecvError::Lagged(missed)) => Some(Err(Missed(missed))),
            Err(RecvError::Closed) => None,
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} events were missed", self.0)
    }
}

impl std::error::Error for Missed {}
