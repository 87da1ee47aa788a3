//! Scopes of JetStream.

use std::pin::Pin;
use std::time::Duration;

use super::record::tell_body;
use super::target::Target;
use crate::error::ConnectionError;
use crate::lease::{Connection, JetStream};
use crate::service::ConnectionService;

/// JetStream on the connection of a scope: [`Connection::jetstream`] as a function.
///
/// The connection is not closed when this ends.
#[must_use]
#[track_caller]
pub fn jetstream_context(connection: &Connection) -> JetStream {
    connection.jetstream()
}

/// A lease and JetStream on it; await it for both, or [`run`](NatsJetStream::run) a closure.
///
/// ```no_run
/// # async fn example() -> Result<(), naq_connection::ConnectionError> {
/// use naq_connection::{StreamConfig, nats_jetstream};
///
/// let (connection, jetstream) = nats_jetstream().await?;
/// jetstream
///     .get_or_create_stream(StreamConfig {
///         name: "mystream".to_owned(),
///         subjects: vec!["mystream.*".to_owned()],
///         ..StreamConfig::default()
///     })
///     .await?;
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn nats_jetstream() -> NatsJetStream {
    NatsJetStream {
        target: Target::here(),
    }
}

/// Runs `body` with JetStream; [`nats_jetstream`] without choices.
///
/// # Errors
/// As [`NatsJetStream::run`].
#[track_caller]
pub fn with_jetstream<R, E>(
    body: impl AsyncFnOnce(&JetStream) -> Result<R, E>,
) -> impl Future<Output = Result<R, E>>
where
    E: From<ConnectionError> + 'static,
{
    nats_jetstream().run(body)
}

/// A lease with JetStream about to be taken; see [`nats_jetstream`].
#[derive(Debug, Clone)]
#[must_use = "nothing is leased until it is awaited or run"]
pub struct NatsJetStream {
    target: Target,
}

impl NatsJetStream {
    /// The profile; that of the service's default if none is named.
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.target.profile = Some(name.into());
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

    /// Runs `body` with JetStream.
    ///
    /// A failure that is this crate's is one error record: `NATS connection error: …` without a
    /// connection, else `JetStream context error: …`. Cancel safe as far as `body` is.
    ///
    /// # Errors
    /// That of `body`, unchanged. Before `body` ran: as
    /// [`NatsConnection::run`](crate::NatsConnection::run).
    pub async fn run<R, E>(self, body: impl AsyncFnOnce(&JetStream) -> Result<R, E>) -> Result<R, E>
    where
        E: From<ConnectionError> + 'static,
    {
        let jetstream = JetStream::on(self.target.lease().await?);
        jetstream.recorded(body(&jetstream).await)
    }
}

impl JetStream {
    /// As [`Connection::recorded`], with the words `JetStream context error: …`.
    ///
    /// # Errors
    /// That of `result`.
    pub fn recorded<R, E: 'static>(&self, result: Result<R, E>) -> Result<R, E> {
        tell_body(result, "JetStream context error")
    }
}

impl IntoFuture for NatsJetStream {
    type Output = Result<(Connection, JetStream), ConnectionError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async {
            let connection = self.target.lease().await?;
            let jetstream = JetStream::beside(&connection);
            Ok((connection, jetstream))
        })
    }
}
