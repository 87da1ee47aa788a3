//! Starting a service.

use std::time::Duration;

use futures::future::try_join_all;
use naq_config::settings::NatsSettings;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::handle::ConnectionService;
use crate::dial::{Backoff, Plan};
use crate::error::{ConnectionError, ConnectionErrorKind, Operation};

/// What `start` does about servers that do not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartMode {
    /// One dial per profile; the first failure is the answer.
    FailFast,
    /// Dials until every profile is connected, or until the time is over. Failures that time
    /// can't heal (credentials, TLS, settings) end it at once.
    WaitUntil(Duration),
    /// No dial; the first use connects.
    Lazy,
}

/// Builds a [`ConnectionService`]; see [`ConnectionService::builder`].
#[derive(Debug)]
#[must_use]
pub struct ConnectionServiceBuilder {
    profiles: Vec<(String, NatsSettings)>,
    leak_threshold: Option<Duration>,
    max_exclusive: usize,
}

/// Exclusive connections that a service keeps at a time unless told otherwise.
pub(super) const DEFAULT_MAX_EXCLUSIVE: usize = 64;

impl Default for ConnectionServiceBuilder {
    fn default() -> Self {
        Self {
            profiles: Vec::new(),
            leak_threshold: None,
            max_exclusive: DEFAULT_MAX_EXCLUSIVE,
        }
    }
}

impl ConnectionServiceBuilder {
    /// Adds a profile; one of the same name is replaced.
    pub fn profile(mut self, name: impl Into<String>, settings: NatsSettings) -> Self {
        self.profiles.push((name.into(), settings));
        self
    }

    /// Tells of each lease that is out for longer than this: once, as a warning that names the place where
    /// it was taken, and again when it comes back. Off by default; a minute is a good start.
    pub fn leak_threshold(mut self, threshold: Duration) -> Self {
        self.leak_threshold = Some(threshold);
        self
    }

    /// How many [exclusive](ConnectionService::exclusive) connections may exist at a time. Default 64.
    pub fn max_exclusive(mut self, limit: usize) -> Self {
        self.max_exclusive = limit;
        self
    }

    /// Starts the service.
    ///
    /// # Errors
    /// `InvalidSettings` in every mode. Otherwise the error of a dial as in
    /// [`ConnectionService::connection`]: of the first that failed (`FailFast`), of the last before
    /// the time was over (`WaitUntil`).
    pub async fn start(self, mode: StartMode) -> Result<ConnectionService, ConnectionError> {
        if self.profiles.is_empty() {
            return Err(ConnectionError::new(
                ConnectionErrorKind::InvalidSettings,
                "the service has no profile",
            ));
        }
        let mut plans = Vec::with_capacity(self.profiles.len());
        for (name, settings) in self.profiles {
            plans.push((name, Ok(Plan::new(settings)?)));
        }
        let service = ConnectionService::with_plans(plans, self.max_exclusive);
        if let Some(threshold) = self.leak_threshold {
            service.watch_leases(threshold);
        }
        let profiles = service.inner.profiles.keys();
        match mode {
            StartMode::FailFast => {
                try_join_all(profiles.map(|name| service.connection_for(name))).await?;
            }
            StartMode::WaitUntil(limit) => {
                let deadline = Instant::now() + limit;
                try_join_all(profiles.map(|name| service.wait_for(name, deadline))).await?;
            }
            StartMode::Lazy => {}
        }
        Ok(service)
    }
}

impl ConnectionService {
    async fn wait_for(&self, profile: &str, deadline: Instant) -> Result<(), ConnectionError> {
        let backoff = Backoff::new(Duration::from_millis(500));
        let mut last = None;
        for step in 0.. {
            match timeout_at(deadline, self.connection_for(profile)).await {
                Ok(Ok(_lease)) => return Ok(()),
                Ok(Err(error)) if !error.is_transient() => return Err(error),
                Ok(Err(error)) => last = Some(error),
                Err(_elapsed) => break,
            }
            let next = Instant::now() + backoff.pause(step);
            if next >= deadline {
                break;
            }
            sleep_until(next).await;
        }
        Err(last.unwrap_or_else(|| {
            ConnectionError::new(
                ConnectionErrorKind::Deadline {
                    operation: Operation::Start,
                },
                format!("profile `{profile}` was not connected in time"),
            )
        }))
    }
}
