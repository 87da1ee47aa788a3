//! Taking a lease: at once when the connection is there, otherwise in a span of its own.

use std::sync::Arc;

use tracing::field::Empty;
use tracing::{Instrument, info_span};

use super::handle::ConnectionService;
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::lease::Connection;
use crate::link::Held;
use crate::monitor::{Activity, Place, stripe};
use crate::sharing::{Share, Token};
use crate::slot::Slot;

impl ConnectionService {
    /// A lease on the client of `slot`, dialled if need be. `place`: where in the caller's source.
    pub(super) async fn take(
        &self,
        slot: Arc<Slot>,
        place: Place,
    ) -> Result<Connection, ConnectionError> {
        if let Some(lease) = at_once(&slot, place) {
            return lease;
        }
        let attempt = slot.meter().acquiring();
        let waited = Box::pin(wait(&slot)).await;
        match waited.and_then(|link| lease_on(link, place)) {
            Ok(lease) => {
                let took = attempt.elapsed();
                attempt.succeeded(took);
                Ok(lease)
            }
            Err(error) => {
                attempt.failed();
                Err(error)
            }
        }
    }
}

/// A lease on the client that is there. It need not own the slot, whose count all threads share.
pub(super) fn at_once(slot: &Slot, place: Place) -> Option<Result<Connection, ConnectionError>> {
    let link = slot.current()?;
    let token = entered(&link);
    Some(token.map(|token| Connection::at_once(link, token, place)))
}

fn lease_on(link: Share<Held>, place: Place) -> Result<Connection, ConnectionError> {
    let token = entered(&link)?;
    Ok(Connection::new(link, token, place))
}

fn entered(link: &Held) -> Result<Token, ConnectionError> {
    link.leases().enter(stripe()).ok_or_else(|| {
        ConnectionError::new(
            ConnectionErrorKind::ShuttingDown,
            "the service gives no new leases",
        )
    })
}

async fn wait(slot: &Arc<Slot>) -> Result<Share<Held>, ConnectionError> {
    let activity = Activity::start(info_span!(
        "acquire",
        profile = slot.meter().profile(),
        lane = slot.meter().lane(),
        epoch = Empty,
        outcome = Empty,
        duration = Empty,
    ));
    let span = activity.span().clone();
    let outcome = slot.acquire().instrument(span.clone()).await;
    match &outcome {
        Ok(link) => {
            span.record("epoch", link.state().epoch);
            activity.end("ok");
        }
        Err(_) => activity.end("error"),
    }
    outcome
}
