//! The streams of a service's account.

use async_nats::jetstream::stream::{Config, Info};
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{call, stream_info};
use super::ensure::{Ensured, ensure};
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::lease::Connection;
use crate::scope::Target;
use crate::service::ConnectionService;

/// The most names that one answer of the server has.
const PAGE: usize = 1024;

/// Streams: made, compared, looked at, emptied, deleted. See [`ConnectionService::streams`].
#[derive(Debug, Clone)]
#[must_use = "nothing is done until one of its calls is made"]
pub struct Streams {
    target: Target,
}

impl ConnectionService {
    /// The streams of the account of [`DEFAULT_PROFILE`](crate::DEFAULT_PROFILE).
    ///
    /// ```no_run
    /// # async fn example(service: naq_connection::ConnectionService) -> Result<(), naq_connection::ConnectionError> {
    /// use naq_connection::{Ensured, StreamConfig};
    ///
    /// let wanted = StreamConfig {
    ///     name: "events".to_owned(),
    ///     subjects: vec!["events.>".to_owned()],
    ///     ..StreamConfig::default()
    /// };
    /// if let Ensured::Updated { changes } = service.streams().ensure(&wanted).await? {
    ///     println!("{} fields were not as wanted", changes.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn streams(&self) -> Streams {
        let mut target = Target::here();
        target.service = Some(self.clone());
        Streams { target }
    }
}

/// Each call takes a lease for as long as it lasts, and each request `request_timeout` at most.
///
/// # Errors
/// Of every call: those of [`ConnectionService::acquire`] and [`Connection::request`]; `Api` with
/// the server's codes when it refuses; `InvalidName`.
impl Streams {
    /// Of another profile, whose account may be another.
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.target.profile = Some(name.into());
        self
    }

    /// Makes the stream what `wanted` says: creates it, updates it, or leaves it alone.
    ///
    /// What `wanted` leaves at its default is what the server makes of that. Repeating is harmless,
    /// and so are many callers at once.
    ///
    /// # Errors
    /// `Incompatible`, with each field that differs and can't be changed: nothing was changed.
    pub async fn ensure(&self, wanted: &Config) -> Result<Ensured, ConnectionError> {
        ensure(&self.lease().await?, wanted).await
    }

    /// What the server tells of the stream: configuration, number of messages, state. `None` if
    /// there is none of this name.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn info(&self, name: &str) -> Result<Option<Info>, ConnectionError> {
        let info = stream_info(&self.lease().await?, name).await?;
        info.map(serde_json::from_value)
            .transpose()
            .map_err(|error| {
                let context = format!("what the server tells of stream `{name}`");
                ConnectionError::with_source(ConnectionErrorKind::Protocol, context, error)
            })
    }

    /// The names of the streams, at most `limit`, in the server's order.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn names(&self, limit: usize) -> Result<Vec<String>, ConnectionError> {
        #[derive(Deserialize)]
        struct Page {
            total: usize,
            streams: Option<Vec<String>>,
        }
        let connection = self.lease().await?;
        let mut names = Vec::new();
        while names.len() < limit {
            let body = json!({ "offset": names.len() });
            let page: Page = call(&connection, "STREAM.NAMES", Some(&body)).await?;
            let found = page.streams.unwrap_or_default();
            let last = found.len() < PAGE && names.len() + found.len() >= page.total;
            let empty = found.is_empty();
            names.extend(found);
            if last || empty {
                break;
            }
        }
        names.truncate(limit);
        Ok(names)
    }

    /// Removes all messages, or those on the subjects that `filter` matches; says how many there
    /// were.
    ///
    /// # Errors
    /// Those of every call; `NotFound`.
    pub async fn purge(&self, name: &str, filter: Option<&str>) -> Result<u64, ConnectionError> {
        #[derive(Deserialize)]
        struct Purged {
            #[serde(default)]
            purged: u64,
        }
        let connection = self.existing(name).await?;
        let body = filter.map(|filter| json!({ "filter": filter }));
        let verb = format!("STREAM.PURGE.{name}");
        let done: Purged = call(&connection, &verb, body.as_ref()).await?;
        Ok(done.purged)
    }

    /// Deletes the stream with all that is in it.
    ///
    /// # Errors
    /// Those of every call; `NotFound`.
    pub async fn delete(&self, name: &str) -> Result<(), ConnectionError> {
        let connection = self.existing(name).await?;
        let verb = format!("STREAM.DELETE.{name}");
        call::<Value>(&connection, &verb, None::<&()>).await?;
        Ok(())
    }

    async fn lease(&self) -> Result<Connection, ConnectionError> {
        self.target.clone().lease().await
    }

    async fn existing(&self, name: &str) -> Result<Connection, ConnectionError> {
        let connection = self.lease().await?;
        match stream_info(&connection, name).await? {
            Some(_) => Ok(connection),
            None => Err(ConnectionError::new(
                ConnectionErrorKind::NotFound,
                format!("there is no stream `{name}`"),
            )),
        }
    }
}
