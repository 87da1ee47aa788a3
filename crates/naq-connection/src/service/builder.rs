//! Starting a service.

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use futures::future::try_join_all;
use naq_config::settings::NatsSettings;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::handle::ConnectionService;
use crate::dial::{Backoff, Credentials, Plan, Provider};
use crate::error::{ConnectionError, ConnectionErrorKind, Operation};
use crate::lease::end;
use crate::monitor::ConnectionMonitor;

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
    providers: HashMap<String, Provider>,
    leak_threshold: Option<Duration>,
    max_exclusive: usize,
}

/// Exclusive connections that a service keeps at a time unless told otherwise.
pub(super) const DEFAULT_MAX_EXCLUSIVE: usize = 64;

impl Default for ConnectionServiceBuilder {
    fn default() -> Self {
        Self {
            profiles: Vec::new(),
            providers: HashMap::new(),
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

    /// Asks `provider` for the credentials of `profile` before each dial, also before each attempt to
    /// reconnect, instead of taking those of the settings. It may take `connection_timeout`.
    ///
    /// ```no_run
    /// use naq_config::Secret;
    /// use naq_connection::{ConnectionService, Credentials};
    ///
    /// let builder = ConnectionService::builder().credentials("default", || async {
    ///     let token = std::fs::read_to_string("/run/secrets/nats")?;
    ///     Ok::<_, std::io::Error>(Credentials::Token(Secret::new(token.trim())))
    /// });
    /// ```
    ///
    /// An error of the provider fails the dial with `Credentials`, or the attempt to reconnect,
    /// after which it is asked again. [`rotate`](ConnectionService::rotate) asks at once.
    pub fn credentials<F, Fut, E>(mut self, profile: impl Into<String>, provider: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Credentials, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        self.providers
            .insert(profile.into(), Provider::new(provider));
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
            let provider = self.providers.get(&name).cloned();
            plans.push((name, Ok(Plan::new(settings)?.with_provider(provider))));
        }
        let (limit, monitor) = (self.max_exclusive, ConnectionMonitor::new());
        let service = ConnectionService::with_plans(plans, self.providers, limit, monitor);
        if let Some(threshold) = self.leak_threshold {
            service.watch_leases(threshold);
        }
        let profiles = service.inner.profiles.load_full();
        let profiles = profiles.lanes.keys();
        match mode {
            StartMode::FailFast => {
                try_join_all(profiles.map(|name| service.connection_for(name))).await?;
            }
            StartMode::WaitUntil(limit) => {
                let deadline = end(Instant::now(), limit);
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
