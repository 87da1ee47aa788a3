//! Taking a lease: at once when the connection is there, otherwise in a span of its own.

use tracing::field::Empty;
use tracing::{Instrument, info_span};

use super::handle::ConnectionService;
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::lease::Connection;
use crate::link::Held;
use crate::monitor::{Activity, Place, stripe};
use crate::sharing::Share;
use crate::slot::Slot;

impl ConnectionService {
    /// `place`: where in the caller's source.
    pub(super) async fn take(
        &self,
        slot: Share<Slot>,
        place: Place,
    ) -> Result<Connection, ConnectionError> {
        if let Some(link) = slot.current() {
            let lease = lease_on(link, slot, place)?;
            lease.acquired_at_once();
            return Ok(lease);
        }
        let attempt = slot.meter().acquiring();
        let waited = wait(&slot).await;
        match waited.and_then(|link| lease_on(link, slot, place)) {
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

fn lease_on(
    link: Share<Held>,
    slot: Share<Slot>,
    place: Place,
) -> Result<Connection, ConnectionError> {
    let token = slot.leases().enter(stripe()).ok_or_else(|| {
        ConnectionError::new(
            ConnectionErrorKind::ShuttingDown,
            "the service gives no new leases",
        )
    })?;
    Ok(Connection::new(link, slot, token, place))
}

async fn wait(slot: &Share<Slot>) -> Result<Share<Held>, ConnectionError> {
    let activity = Activity::start(info_span!(
        "acquire",
        profile = slot.meter().profile(),
        lane = slot.meter().lane(),
        epoch = Empty,
        outcome = Empty,
        duration = Empty,
    ));
    let span = activity.span().clone();
    let outcome = slot.arc().acquire().instrument(span.clone()).await;
    match &outcome {
        Ok(link) => {
            span.record("epoch", link.state().epoch);
            activity.end("ok");
        }
        Err(_) => activity.end("error"),
    }
    outcome
}
