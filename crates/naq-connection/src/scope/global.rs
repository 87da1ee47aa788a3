//! The services of each runtime: the installed one, and those that were made from the configuration.
//!
//! A client dies with the runtime that it was made on, so a service for the whole process would fail
//! in the second `#[tokio::test]`. Each runtime has its own, and forgets it when it ends.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use naq_config::{ConfigError, Loader, Origin, Settings};
use tokio::runtime::{Handle, Id};
use tokio_util::task::TaskTracker;

use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::monitor::ConnectionMonitor;
use crate::service::{ConnectionService, DEFAULT_PROFILE, ShutdownReport};

static RUNTIMES: LazyLock<Mutex<HashMap<Id, Services>>> = LazyLock::new(Mutex::default);

/// Owns a task on each runtime that ends only with it.
static KEEPERS: LazyLock<TaskTracker> = LazyLock::new(TaskTracker::new);

#[derive(Default)]
struct Services {
    installed: Option<ConnectionService>,
    /// Made from the configuration, by profile; none of them once a service is installed.
    loaded: HashMap<String, ConnectionService>,
    /// Of all that were made from the configuration, so that their numbers are in one place.
    monitor: ConnectionMonitor,
}

impl ConnectionService {
    /// Makes this the service of the current runtime: [`nats_connection`](crate::nats_connection)
    /// and the other functions without a service use it from now on.
    ///
    /// Returns the one that was installed before. Those made from the configuration (see
    /// [`global`](crate::global)) are forgotten; leases on them stay good.
    ///
    /// # Errors
    /// `NoRuntime`.
    pub fn install_global(&self) -> Result<Option<Self>, ConnectionError> {
        let runtime = runtime()?;
        let mut runtimes = lock();
        let services = entry(&mut runtimes, &runtime);
        let before = services.installed.replace(self.clone());
        let forgotten = std::mem::take(&mut services.loaded);
        drop(runtimes);
        drop(forgotten);
        Ok(before)
    }
}

/// The service of the current runtime: the installed one (see
/// [`install_global`](ConnectionService::install_global)), or else one that is made at the first use
/// from [`get_config`].
///
/// Reads files at the first use; after that it is a look-up.
///
/// # Errors
/// `NoRuntime`; `InvalidSettings` with the report of all problems as its source.
pub fn global() -> Result<ConnectionService, ConnectionError> {
    service_for(None)
}

/// The configuration that [`global`] goes by: the standard files under the environment variables.
///
/// # Errors
/// All problems of all sources in one report.
pub fn get_config() -> Result<Settings, ConfigError> {
    let loaded = sources().load()?;
    Ok(loaded.settings)
}

/// Shuts the services of the current runtime down, as [`ConnectionService::shutdown`] does, and
/// forgets them: the next use makes one anew.
///
/// `None` if there was none.
pub async fn shutdown_global(deadline: Duration) -> Option<ShutdownReport> {
    let id = Handle::try_current().ok()?.id();
    let all: Vec<_> = {
        let mut runtimes = lock();
        let services = runtimes.get_mut(&id)?;
        let loaded = std::mem::take(&mut services.loaded);
        let installed = services.installed.take();
        installed.into_iter().chain(loaded.into_values()).collect()
    };
    let reports = join_all(all.iter().map(|service| service.shutdown(deadline))).await;
    reports.into_iter().reduce(ShutdownReport::and)
}

pub(crate) fn given_or_global(
    service: Option<&ConnectionService>,
) -> Result<ConnectionService, ConnectionError> {
    service.map_or_else(global, |service| Ok(service.clone()))
}

/// The service that has `profile`. An installed one has its own profiles, whatever the configuration.
pub(super) fn service_for(profile: Option<&str>) -> Result<ConnectionService, ConnectionError> {
    let runtime = runtime()?;
    let profile = profile.unwrap_or(DEFAULT_PROFILE);
    if let Some(service) = lock()
        .get(&runtime.id())
        .and_then(|known| known.find(profile))
    {
        return Ok(service);
    }
    // Not under the lock: it reads files. Of two that come first at once one is dropped, undialled.
    let fresh = load(profile, monitor_of(&runtime))?;
    let mut runtimes = lock();
    let services = entry(&mut runtimes, &runtime);
    let service = services.find(profile).unwrap_or_else(|| {
        let kept = services.loaded.entry(profile.to_owned());
        kept.insert_entry(fresh.clone()).get().clone()
    });
    drop(runtimes);
    Ok(service)
}

/// That of the installed service, or the one that all services share which the configuration makes.
pub(super) fn monitor() -> Result<ConnectionMonitor, ConnectionError> {
    Ok(monitor_of(&runtime()?))
}

fn monitor_of(runtime: &Handle) -> ConnectionMonitor {
    let mut runtimes = lock();
    let services = entry(&mut runtimes, runtime);
    let installed = services.installed.as_ref();
    installed
        .map_or(&services.monitor, |service| service.monitor())
        .clone()
}

impl Services {
    fn find(&self, profile: &str) -> Option<ConnectionService> {
        let service = self.installed.as_ref();
        service.or_else(|| self.loaded.get(profile)).cloned()
    }
}

fn runtime() -> Result<Handle, ConnectionError> {
    Handle::try_current().map_err(|error| {
        ConnectionError::with_source(
            ConnectionErrorKind::NoRuntime,
            "each Tokio runtime has a service of its own",
            error,
        )
    })
}

fn lock() -> MutexGuard<'static, HashMap<Id, Services>> {
    RUNTIMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The services of `runtime`, which are dropped with it.
fn entry<'a>(runtimes: &'a mut HashMap<Id, Services>, runtime: &Handle) -> &'a mut Services {
    let id = runtime.id();
    runtimes.entry(id).or_insert_with(|| {
        let keeper = Keeper(id);
        let until_the_runtime_ends = async move {
            let _keeper = keeper;
            std::future::pending::<()>().await;
        };
        drop(KEEPERS.spawn_on(until_the_runtime_ends, runtime));
        Services::default()
    })
}

/// A runtime drops its tasks when it ends, and this with them.
struct Keeper(Id);

impl Drop for Keeper {
    fn drop(&mut self) {
        let services = lock().remove(&self.0);
        drop(services);
    }
}

fn sources() -> Loader {
    Loader::new().standard_files().process_env()
}

fn load(profile: &str, monitor: ConnectionMonitor) -> Result<ConnectionService, ConnectionError> {
    let sources = match profile {
        DEFAULT_PROFILE => sources(),
        _ => sources().profile(profile),
    };
    let loaded = sources.load().map_err(|error| {
        // The loader blames whoever asked for the profile, and nothing else is asked for here.
        let asked = |origin: &Origin| matches!(origin, Origin::Override { .. });
        let kind = match error.problems().iter().any(|p| asked(&p.origin)) {
            true => ConnectionErrorKind::UnknownProfile,
            false => ConnectionErrorKind::InvalidSettings,
        };
        ConnectionError::with_source(kind, error.to_string(), error)
    })?;
    Ok(ConnectionService::of_profile(
        profile,
        loaded.settings.nats,
        monitor,
    ))
}
