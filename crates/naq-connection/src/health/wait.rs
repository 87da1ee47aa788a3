//! Waiting until the connection works.

use std::time::Duration;

use tokio::time::{self, Instant, sleep};

use super::probe::absence;
use crate::dial::Backoff;
use crate::error::{ConnectionError, ConnectionErrorKind, Operation};
use crate::scope::given_or_global;
use crate::service::{ConnectionService, DEFAULT_PROFILE};

/// The longest pause between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// Waits until a server has answered on the connection of [`DEFAULT_PROFILE`], for `timeout` at
/// most, dials included.
///
/// `service` may be `None`: the one of [`global`](crate::global).
///
/// Dials again and again where no server was there; a connection that is being restored is waited
/// for. Cancel safe.
///
/// # Errors
/// `Deadline`: not in time; its source is the last failure. At once what time can't heal:
/// `AuthFailed`, `Tls`, `InvalidSettings`, `UnknownProfile`, `ShuttingDown`, `NoRuntime`.
pub async fn wait_for_nats_connection<'a>(
    service: impl Into<Option<&'a ConnectionService>>,
    timeout: Duration,
) -> Result<(), ConnectionError> {
    let service = &given_or_global(service.into())?;
    let start = Instant::now();
    let left = || timeout.saturating_sub(start.elapsed());
    let backoff = Backoff::new(PAUSE);
    let mut last = None;
    for step in 0.. {
        match time::timeout(left(), round_trip(service)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) if !error.is_transient() => return Err(error),
            Ok(Err(error)) => last = Some(error),
            Err(_elapsed) => break,
        }
        let pause = backoff.pause(step);
        if pause >= left() {
            break;
        }
        sleep(pause).await;
    }
    Err(too_late(timeout, last.or_else(|| silence(service))))
}

async fn round_trip(service: &ConnectionService) -> Result<(), ConnectionError> {
    let connection = service.connection().await?;
    // The one deadline is around this: a second that ends with it would hide what was waited for.
    connection.flush_confirmed_within(Duration::MAX).await
}

/// What was waited for all the time, where nothing has failed.
fn silence(service: &ConnectionService) -> Option<ConnectionError> {
    let state = service.state_of(DEFAULT_PROFILE).ok()?;
    let absent = absence(DEFAULT_PROFILE, state);
    Some(absent.unwrap_or_else(|| {
        ConnectionError::new(
            ConnectionErrorKind::Deadline {
                operation: Operation::Flush,
            },
            "the server is connected and does not answer",
        )
    }))
}

fn too_late(timeout: Duration, cause: Option<ConnectionError>) -> ConnectionError {
    let kind = ConnectionErrorKind::Deadline {
        operation: Operation::Start,
    };
    let told = format!("no working connection within {timeout:?}");
    match cause {
        Some(cause) => ConnectionError::with_source(kind, format!("{told}: {cause}"), cause),
        None => ConnectionError::new(kind, told),
    }
}
