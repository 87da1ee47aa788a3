//! What a lease is asked of: which service, profile and lane, within which time.

use std::panic::Location;
use std::time::Duration;

use super::global::service_for;
use super::record::tell;
use crate::error::ConnectionError;
use crate::lane::Lane;
use crate::lease::Connection;
use crate::service::ConnectionService;

#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Where in the caller's source.
    place: &'static Location<'static>,
    pub(crate) service: Option<ConnectionService>,
    pub(crate) profile: Option<String>,
    pub(crate) lane: Lane,
    pub(crate) limit: Option<Duration>,
}

impl Target {
    #[track_caller]
    pub(crate) fn here() -> Self {
        Self {
            place: Location::caller(),
            service: None,
            profile: None,
            lane: Lane::default(),
            limit: None,
        }
    }

    pub(crate) async fn lease(self) -> Result<Connection, ConnectionError> {
        self.find()
            .await
            .inspect_err(|error| tell(error, "NATS connection error"))
    }

    async fn find(self) -> Result<Connection, ConnectionError> {
        let service = match self.service {
            Some(service) => service,
            None => service_for(self.profile.as_deref())?,
        };
        let mut acquire = service.acquire().at(self.place).lane(self.lane);
        if let Some(profile) = self.profile {
            acquire = acquire.profile(profile);
        }
        if let Some(limit) = self.limit {
            acquire = acquire.timeout(limit);
        }
        acquire.await
    }
}
