//! The loop around the machine: checks at an interval, and at once when the connection drops or is
//! back.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::machine::{Machine, Step};
use super::probe::{DEADLINE, look};
use super::report::Health;
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::service::{ConnectionService, DEFAULT_PROFILE};

const INTERVAL: Duration = Duration::from_secs(30);
const SHORTEST: Duration = Duration::from_millis(1);

type OnChange = Box<dyn FnMut(&Health) + Send>;

/// Builds a [`HealthChecker`]; see [`HealthChecker::builder`].
#[must_use]
pub struct HealthCheckerBuilder {
    service: ConnectionService,
    profile: String,
    every: Duration,
    deadline: Duration,
    on_change: Option<OnChange>,
}

/// Watches the connection of one profile in the background.
///
/// Checks at an interval, and without waiting for it when the connection drops or is back. Dropping
/// it stops it; [`stop`](Self::stop) also waits for the end.
///
/// It holds the service, but a lease only during a check: a
/// [`shutdown`](ConnectionService::shutdown) is not held up by it. It ends by itself at the first
/// check after that.
///
/// ```no_run
/// # async fn run(service: naq_connection::ConnectionService) -> Result<(), naq_connection::ConnectionError> {
/// use naq_connection::HealthChecker;
///
/// let checker = HealthChecker::builder(&service)
///     .on_change(|health| println!("the connection is {}", health.state))
///     .spawn()?;
/// checker.stop().await;
/// # Ok(())
/// # }
/// ```
pub struct HealthChecker {
    health: watch::Receiver<Health>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl HealthChecker {
    /// A checker of [`DEFAULT_PROFILE`], every 30 seconds, with five seconds for each check.
    pub fn builder(service: &ConnectionService) -> HealthCheckerBuilder {
        HealthCheckerBuilder {
            service: service.clone(),
            profile: DEFAULT_PROFILE.to_owned(),
            every: INTERVAL,
            deadline: DEADLINE,
            on_change: None,
        }
    }

    /// The newest finding and those to come; `Unknown` before the first. Each check is a change of
    /// the channel. It closes when the checker ends, and keeps the last finding.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// Stops at once, also in the middle of a check, and waits until the task is gone. May be called
    /// again. Cancel safe.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for HealthChecker {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl HealthCheckerBuilder {
    /// The profile whose connection is checked.
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.profile = name.into();
        self
    }

    /// Time from one check to the next, at least a millisecond.
    pub fn every(mut self, interval: Duration) -> Self {
        self.every = interval.max(SHORTEST);
        self
    }

    /// Time that one check may take, dial included.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Called at each change between healthy and unhealthy, and for the first finding, but not for
    /// the shutdown of the service; in the checker's own task, which it must not block. A panic in
    /// it is logged and ends nothing.
    pub fn on_change(mut self, callback: impl FnMut(&Health) + Send + 'static) -> Self {
        self.on_change = Some(Box::new(callback));
        self
    }

    /// Starts the loop, one for each checker; the first check is made at once.
    ///
    /// # Errors
    /// `UnknownProfile`, `NoRuntime`.
    pub fn spawn(self) -> Result<HealthChecker, ConnectionError> {
        let epoch = self.service.state_of(&self.profile)?.epoch;
        let runtime = Handle::try_current().map_err(|error| {
            ConnectionError::with_source(
                ConnectionErrorKind::NoRuntime,
                "the health checker is a task of a Tokio runtime",
                error,
            )
        })?;
        let unknown = Health::unknown(epoch);
        let (sender, health) = watch::channel(unknown.clone());
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let until = stop.clone();
        let check = run(self, Machine::new(unknown), sender);
        tasks.spawn_on(
            async move {
                // `None`: it was stopped.
                until.run_until_cancelled(check).await.unwrap_or_default();
            },
            &runtime,
        );
        tasks.close();
        Ok(HealthChecker {
            health,
            stop,
            tasks,
        })
    }
}

async fn run(mut checker: HealthCheckerBuilder, mut machine: Machine, news: watch::Sender<Health>) {
    loop {
        let start = Instant::now();
        let mut finding = look(&checker.service, &checker.profile, checker.deadline).await;
        let step = machine.observe(finding.health.clone());
        news.send_replace(machine.health().clone());
        if machine.is_over() {
            // Not told: who shuts a service down need not be alarmed by it.
            return;
        }
        log(&checker.profile, machine.health(), step);
        if let (Step::Changed, Some(callback)) = (step, &mut checker.on_change) {
            tell(callback, machine.health());
        }
        tokio::select! {
            () = sleep(checker.every.saturating_sub(start.elapsed())) => {}
            () = finding.outdated() => {}
        }
    }
}

fn log(profile: &str, health: &Health, step: Step) {
    let (is_healthy, rtt) = (health.is_healthy(), health.rtt);
    if step == Step::Same {
        tracing::debug!(profile, ?rtt, "Connection health: {is_healthy}");
        return;
    }
    tracing::info!(profile, ?rtt, "Connection health: {is_healthy}");
    if let (false, Some(error)) = (is_healthy, &health.last_error) {
        tracing::warn!(profile, "Connection health check failed: {error}");
    }
}

fn tell(callback: &mut OnChange, health: &Health) {
    // After a panic the callback is called again: what it has left half done is its own.
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| callback(health))) {
        let said = said(&*panic);
        tracing::error!("Health check failed: the callback panicked: {said}");
    }
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

impl fmt::Debug for HealthCheckerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthCheckerBuilder")
            .field("profile", &self.profile)
            .field("every", &self.every)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for HealthChecker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthChecker")
            .field("health", &*self.health.borrow())
            .field("running", &!self.tasks.is_empty())
            .finish_non_exhaustive()
    }
}
