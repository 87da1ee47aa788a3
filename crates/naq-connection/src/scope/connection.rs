//! Scopes of a connection.

use std::pin::Pin;
use std::time::Duration;

use super::record::tell_body;
use super::target::Target;
use crate::error::ConnectionError;
use crate::lane::Lane;
use crate::lease::Connection;
use crate::service::ConnectionService;

/// A lease on the connection of this runtime's service; await it for the guard, or
/// [`run`](NatsConnection::run) a closure with it.
///
/// The lease ends when the guard is dropped, in every way that a scope can end, without waiting and
/// without closing the connection: the next scope uses it again.
///
/// ```no_run
/// # async fn example() -> Result<(), naq_connection::ConnectionError> {
/// use naq_connection::nats_connection;
///
/// let connection = nats_connection().await?;
/// connection.publish("greetings", "hello").await?;
/// connection.flush_confirmed().await?;
/// # Ok(())
/// # }
/// ```
///
/// The service is the one of [`global`](crate::global), or that given to
/// [`on`](NatsConnection::on).
#[track_caller]
pub fn nats_connection() -> NatsConnection {
    NatsConnection {
        target: Target::here(),
    }
}

/// Runs `body` with a lease; [`nats_connection`] without choices.
///
/// ```no_run
/// # async fn example() -> Result<(), naq_connection::ConnectionError> {
/// use naq_connection::with_nats_connection;
///
/// with_nats_connection(async |connection| connection.publish("greetings", "hello").await).await
/// # }
/// ```
///
/// # Errors
/// As [`NatsConnection::run`].
#[track_caller]
pub fn with_nats_connection<R, E>(
    body: impl AsyncFnOnce(&Connection) -> Result<R, E>,
) -> impl Future<Output = Result<R, E>>
where
    E: From<ConnectionError> + 'static,
{
    nats_connection().run(body)
}

/// A lease about to be taken; see [`nats_connection`].
#[derive(Debug, Clone)]
#[must_use = "nothing is leased until it is awaited or run"]
pub struct NatsConnection {
    target: Target,
}

impl NatsConnection {
    /// The profile; that of the service's default if none is named.
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.target.profile = Some(name.into());
        self
    }

    /// The lane; [`Lane::Control`] if none is named.
    pub fn lane(mut self, lane: Lane) -> Self {
        self.target.lane = lane;
        self
    }

    /// Time for the lease, dial included; `connection_timeout` bounds the dial in any case.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.target.limit = Some(limit);
        self
    }

    /// The service, instead of the one of this runtime.
    pub fn on(mut self, service: &ConnectionService) -> Self {
        self.target.service = Some(service.clone());
        self
    }

    /// After a success of the closure also waits until the server has read everything that it
    /// published, within `flush_timeout`. There is only [`run`](ConfirmedConnection::run) to do
    /// then: dropping a guard can't wait.
    pub fn confirm_on_exit(self) -> ConfirmedConnection {
        ConfirmedConnection { scope: self }
    }

    /// Runs `body` with the lease.
    ///
    /// A failure that is this crate's is one error record, `NATS connection error: …`, whatever the
    /// number of scopes that it passes. Cancel safe as far as `body` is.
    ///
    /// # Errors
    /// That of `body`, unchanged. Before `body` ran: that of [`ConnectionService::acquire`], or of
    /// [`global`](crate::global).
    pub async fn run<R, E>(
        self,
        body: impl AsyncFnOnce(&Connection) -> Result<R, E>,
    ) -> Result<R, E>
    where
        E: From<ConnectionError> + 'static,
    {
        let connection = self.target.lease().await?;
        connection.recorded(body(&connection).await)
    }
}

impl IntoFuture for NatsConnection {
    type Output = Result<Connection, ConnectionError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.target.lease())
    }
}

/// A scope that is confirmed by the server before it succeeds; see
/// [`NatsConnection::confirm_on_exit`].
#[derive(Debug, Clone)]
#[must_use = "nothing is leased until it is run"]
pub struct ConfirmedConnection {
    scope: NatsConnection,
}

impl ConfirmedConnection {
    /// Runs `body` with the lease, then confirms what it published.
    ///
    /// # Errors
    /// As [`NatsConnection::run`]; after a success of `body` those of
    /// [`Connection::flush_confirmed`]: then what it published may be lost.
    pub async fn run<R, E>(
        self,
        body: impl AsyncFnOnce(&Connection) -> Result<R, E>,
    ) -> Result<R, E>
    where
        E: From<ConnectionError> + 'static,
    {
        let connection = self.scope.target.lease().await?;
        let value = connection.recorded(body(&connection).await)?;
        connection.recorded(connection.flush_confirmed().await)?;
        Ok(value)
    }
}

impl Connection {
    /// Writes the error record that a closure of a scope writes, if `result` is a failure of this
    /// crate's that has none yet: `NATS connection error: …`. Gives `result` back as it is.
    ///
    /// # Errors
    /// That of `result`.
    pub fn recorded<R, E: 'static>(&self, result: Result<R, E>) -> Result<R, E> {
        tell_body(result, "NATS connection error")
    }
}
