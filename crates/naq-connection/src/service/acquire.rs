//! How a lease is asked for: profile, lane, time limit.

use std::panic::Location;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::timeout;

use super::handle::{ConnectionService, DEFAULT_PROFILE};
use crate::error::{ConnectionError, ConnectionErrorKind, Operation};
use crate::lane::Lane;
use crate::lease::Connection;
use crate::monitor::Place;

/// A lease about to be taken; await it. See [`ConnectionService::acquire`].
#[derive(Debug, Clone)]
#[must_use = "nothing is leased until it is awaited"]
pub struct Acquire {
    service: ConnectionService,
    profile: Option<String>,
    lane: Lane,
    limit: Option<Duration>,
    place: Place,
}

impl ConnectionService {
    /// A lease with choices: of another profile, of the bulk lane, within a time.
    ///
    /// ```no_run
    /// # async fn run(service: naq_connection::ConnectionService) -> Result<(), naq_connection::ConnectionError> {
    /// use std::time::Duration;
    /// use naq_connection::Lane;
    ///
    /// let connection = service
    ///     .acquire()
    ///     .profile("billing")
    ///     .lane(Lane::Bulk)
    ///     .timeout(Duration::from_secs(2))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`connection`](Self::connection); `UnknownProfile`; `Deadline` when the time was over
    /// before there was a connection, which a later attempt may find.
    #[track_caller]
    pub fn acquire(&self) -> Acquire {
        Acquire {
            service: self.clone(),
            profile: None,
            lane: Lane::default(),
            limit: None,
            place: Location::caller(),
        }
    }
}

impl Acquire {
    /// Where in the caller's source, if that is not where `acquire` was called.
    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// The profile; [`DEFAULT_PROFILE`] if none is named.
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.profile = Some(name.into());
        self
    }

    /// The lane; [`Lane::Control`] if none is named.
    pub fn lane(mut self, lane: Lane) -> Self {
        self.lane = lane;
        self
    }

    /// Time for all of it, dial included; `connection_timeout` bounds the dial in any case.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    async fn lease(self) -> Result<Connection, ConnectionError> {
        let profile = self.profile.as_deref().unwrap_or(DEFAULT_PROFILE);
        let lease = self.service.lease_of(profile, self.lane, self.place);
        let Some(limit) = self.limit else {
            return lease.await;
        };
        timeout(limit, lease).await.unwrap_or_else(|_elapsed| {
            Err(ConnectionError::new(
                ConnectionErrorKind::Deadline {
                    operation: Operation::Start,
                },
                format!("profile `{profile}` was not connected within {limit:?}"),
            ))
        })
    }
}

impl IntoFuture for Acquire {
    type Output = Result<Connection, ConnectionError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.lease())
    }
}
