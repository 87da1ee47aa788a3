//! One check: a confirmed round trip on the live connection, within a deadline.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::report::Health;
use crate::error::{ConnectionError, ConnectionErrorKind, Operation};
use crate::scope::given_or_global;
use crate::service::{ConnectionService, DEFAULT_PROFILE};
use crate::state::{Phase, State};

/// Time that one check may take, dial included.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);

/// Checks the connection of `profile` now, within five seconds.
///
/// Asks the server on the shared connection and waits for its answer; dials first if there was no
/// connection yet or the last one has ended. A connection that is being restored is unhealthy at
/// once. What other leases have queued is sent before the question, so its time is in the `rtt`.
/// Never fails: what went wrong is in [`Health::last_error`]. Cancel safe.
pub async fn probe(service: &ConnectionService, profile: &str) -> Health {
    probe_within(service, profile, DEADLINE).await
}

/// As [`probe`], within `deadline`.
pub async fn probe_within(
    service: &ConnectionService,
    profile: &str,
    deadline: Duration,
) -> Health {
    look(service, profile, deadline).await.health
}

impl ConnectionService {
    /// [`probe`] of [`DEFAULT_PROFILE`].
    pub async fn health(&self) -> Health {
        probe(self, DEFAULT_PROFILE).await
    }
}

/// Whether the connection of [`DEFAULT_PROFILE`] works: [`probe`] as yes or no.
///
/// `service` may be `None`: the one of [`global`](crate::global). Answers within five seconds and
/// never fails; the reason of a `false` is logged as an error.
pub async fn test_nats_connection<'a>(service: impl Into<Option<&'a ConnectionService>>) -> bool {
    let error = match given_or_global(service.into()) {
        Ok(service) => service.health().await.last_error,
        Err(error) => Some(error),
    };
    if let Some(error) = &error {
        tracing::error!("NATS connection test failed: {error}");
    }
    error.is_none()
}

/// What a check found, and how to learn that it may not be true any more.
pub(super) struct Finding {
    pub(super) health: Health,
    /// The connection that was asked, and its state before. Holds no lease.
    asked: Option<(watch::Receiver<State>, State)>,
}

impl Finding {
    /// Resolves when the connection that was asked has dropped or is back, even if that happened
    /// during the check; never if there was none, or if it has ended.
    pub(super) async fn outdated(&mut self) {
        if let Some((states, before)) = &mut self.asked {
            let other = |now: &State| {
                now.epoch != before.epoch || now.is_connected() != before.is_connected()
            };
            if states.wait_for(other).await.is_ok() {
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}

pub(super) async fn look(
    service: &ConnectionService,
    profile: &str,
    deadline: Duration,
) -> Finding {
    let start = Instant::now();
    let mut asked = None;
    let outcome = match timeout(deadline, service.connection_for(profile)).await {
        Ok(Ok(connection)) => {
            let states = connection.states();
            let before = *states.borrow();
            asked = Some((states, before));
            match absence(profile, before) {
                Some(error) => Err(error),
                None => {
                    let question = Instant::now();
                    let left = deadline.saturating_sub(start.elapsed());
                    let answer = connection.flush_confirmed_within(left).await;
                    answer.map(|()| question.elapsed())
                }
            }
        }
        Ok(Err(error)) => Err(error),
        Err(_elapsed) => Err(undialled(profile, deadline)),
    };
    let epoch = service.state_of(profile).map_or(0, |state| state.epoch);
    Finding {
        health: Health::found(outcome, epoch),
        asked,
    }
}

/// The error of a client in `state` that is not connected.
pub(super) fn absence(profile: &str, state: State) -> Option<ConnectionError> {
    let told = match state.phase {
        Phase::Connected => return None,
        Phase::Reconnecting { attempts } => {
            format!("profile `{profile}` is being reconnected; attempts since the loss: {attempts}")
        }
        _ => format!("profile `{profile}` has no connection"),
    };
    Some(ConnectionError::new(
        ConnectionErrorKind::NotConnected,
        told,
    ))
}

fn undialled(profile: &str, deadline: Duration) -> ConnectionError {
    ConnectionError::new(
        ConnectionErrorKind::Deadline {
            operation: Operation::Start,
        },
        format!("profile `{profile}` was not connected within {deadline:?}"),
    )
}
