//! Scopes of a bucket.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use async_nats::jetstream::kv::Config;

use super::bucket::open;
use super::config::stream_of;
use super::store::KvStore;
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::lease::Connection;
use crate::scope::{Target, tell, tell_body};
use crate::service::ConnectionService;
use crate::streams::{Ensured, create, ensure};

/// A bucket about to be opened, on the connection of this runtime's service; await it for the guard, or
/// [`run`](NatsKvStore::run) a closure with it.
///
/// ```no_run
/// # async fn example() -> Result<(), naq_connection::ConnectionError> {
/// use naq_connection::nats_kv_store;
///
/// let status = nats_kv_store("status").await?;
/// let revision = status.put("import", "running").await?;
/// status.update("import", "done", revision).await?;
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn nats_kv_store(bucket: impl Into<String>) -> NatsKvStore {
    NatsKvStore {
        bucket: bucket.into(),
        create: None,
        target: Target::here(),
    }
}

/// Runs `body` with the bucket; [`nats_kv_store`] without choices.
///
/// # Errors
/// As [`NatsKvStore::run`].
#[track_caller]
pub fn with_kv_store<R, E>(
    bucket: impl Into<String>,
    body: impl AsyncFnOnce(&KvStore) -> Result<R, E>,
) -> impl Future<Output = Result<R, E>>
where
    E: From<ConnectionError> + 'static,
{
    nats_kv_store(bucket).run(body)
}

impl ConnectionService {
    /// [`nats_kv_store`] on this service.
    #[track_caller]
    pub fn kv(&self, bucket: impl Into<String>) -> NatsKvStore {
        nats_kv_store(bucket).on(self)
    }
}

/// A bucket about to be opened; see [`nats_kv_store`].
#[derive(Debug, Clone)]
#[must_use = "nothing is opened until it is awaited or run"]
pub struct NatsKvStore {
    bucket: String,
    create: Option<Config>,
    target: Target,
}

impl NatsKvStore {
    /// The profile; that of the service's default if none is named.
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.target.profile = Some(name.into());
        self
    }

    /// Time for the lease, dial included; each request has its `request_timeout`.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.target.limit = Some(limit);
        self
    }

    /// The service, instead of the one of this runtime.
    pub fn on(mut self, service: &ConnectionService) -> Self {
        self.target.service = Some(service.clone());
        self
    }

    /// Makes the bucket as `config` says if there is none; one that is there is taken as it is. The
    /// name in `config` is not looked at.
    pub fn create_if_missing(mut self, config: Config) -> Self {
        self.create = Some(config);
        self
    }

    /// Makes the bucket what `config` says, as [`Streams::ensure`](crate::Streams::ensure) does for
    /// streams. The name in `config` is not looked at.
    ///
    /// # Errors
    /// As [`Streams::ensure`](crate::Streams::ensure); `InvalidSettings` for a history of more than
    /// 64 and for a bucket that is fed by others.
    pub async fn ensure(self, config: Config) -> Result<Ensured, ConnectionError> {
        let connection = self.target.lease().await?;
        let bucket = self.bucket;
        connection.buckets().forget(&bucket);
        ensure(&connection, &stream_of(&Config { bucket, ..config })?).await
    }

    /// Runs `body` with the bucket.
    ///
    /// A failure that is this crate's is one error record: `NATS connection error: …` without a
    /// connection, else `KV store error for bucket …: …`. Cancel safe as far as `body` is.
    ///
    /// # Errors
    /// That of `body`, unchanged. Before `body` ran: as
    /// [`NatsConnection::run`](crate::NatsConnection::run); `NotFound`, `InvalidName`.
    pub async fn run<R, E>(self, body: impl AsyncFnOnce(&KvStore) -> Result<R, E>) -> Result<R, E>
    where
        E: From<ConnectionError> + 'static,
    {
        let store = self.open().await?;
        store.recorded(body(&store).await)
    }

    async fn open(self) -> Result<KvStore, ConnectionError> {
        let connection = self.target.lease().await?;
        let opened = opened(&connection, &self.bucket, self.create).await;
        opened.inspect_err(|error| tell(error, what(&self.bucket)))?;
        Ok(KvStore::new(connection, &self.bucket))
    }
}

impl KvStore {
    /// As [`Connection::recorded`], with the words `KV store error for bucket …: …`.
    ///
    /// # Errors
    /// That of `result`.
    pub fn recorded<R, E: 'static>(&self, result: Result<R, E>) -> Result<R, E> {
        tell_body(result, what(self.bucket()))
    }
}

async fn opened(
    connection: &Connection,
    bucket: &str,
    config: Option<Config>,
) -> Result<(), ConnectionError> {
    let missing = match open(connection, bucket).await {
        Err(error) if *error.kind() == ConnectionErrorKind::NotFound => error,
        other => return other.map(drop),
    };
    let Some(config) = config else {
        return Err(missing);
    };
    let config = Config {
        bucket: bucket.to_owned(),
        ..config
    };
    // If somebody else was faster, theirs is taken as it is.
    create(connection, &stream_of(&config)?).await?;
    open(connection, bucket).await.map(drop)
}

fn what(bucket: &str) -> impl fmt::Display {
    fmt::from_fn(move |f| write!(f, "KV store error for bucket {bucket}"))
}

impl IntoFuture for NatsKvStore {
    type Output = Result<KvStore, ConnectionError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.open())
    }
}
