//! Settings that follow the configuration files of a running program.

use std::sync::{Arc, Weak};

use naq_config::settings::NatsSettings;
use naq_config::{Loader, Settings, Watch, WatchError};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::handle::{ConnectionService, Inner};

/// The profiles that a configuration stands for.
type Wanted = Vec<(String, NatsSettings)>;

/// A service that follows its files; it stops when this is dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the following"]
pub struct Following {
    _watch: Watch,
}

impl ConnectionService {
    /// Loads the configuration, [reloads](Self::reload) by it, and does so again whenever its files
    /// make a difference.
    ///
    /// `profiles` says which profiles the service has under a configuration: all of them, since one
    /// that is missing is removed. A file that can't be used, or settings by which no connection can
    /// be made, are logged as a warning, and what works goes on. Of changes in quick succession the
    /// last counts. A change is taken about 250 ms after it was written.
    ///
    /// ```no_run
    /// # async fn run(service: naq_connection::ConnectionService) -> Result<(), Box<dyn std::error::Error>> {
    /// use naq_config::Loader;
    /// use naq_connection::DEFAULT_PROFILE;
    ///
    /// let files = Loader::new().standard_files().process_env();
    /// let following = service.follow(files, |settings| {
    ///     vec![(DEFAULT_PROFILE.to_owned(), settings.nats.clone())]
    /// })?;
    /// # drop(following);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Loader::watch`]; nothing was changed then.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn follow(
        &self,
        loader: Loader,
        profiles: impl Fn(&Settings) -> Wanted + Send + Sync + 'static,
    ) -> Result<Following, WatchError> {
        let runtime = Handle::current();
        let newest = watch::Sender::new(Wanted::new());
        let changes = newest.subscribe();
        let first = newest.clone();
        let profiles = Arc::new(profiles);
        let again = Arc::clone(&profiles);
        let (loaded, watch) = loader.watch(move |change| match change {
            Ok(loaded) => drop(newest.send_replace(again(&loaded.settings))),
            Err(error) => tracing::warn!("the changed configuration is not taken: {error}"),
        })?;
        first.send_if_modified(|newest| {
            // What the watch has told meanwhile is newer.
            let untold = newest.is_empty();
            if untold {
                *newest = profiles(&loaded.settings);
            }
            untold
        });
        drop(first);
        let service = Arc::downgrade(&self.inner);
        let stop = self.inner.stop.clone();
        let apply = async move {
            let reloads = Box::pin(apply(service, changes));
            stop.run_until_cancelled(reloads).await;
        };
        self.inner.tasks.spawn_on(apply, &runtime);
        Ok(Following { _watch: watch })
    }
}

/// Until the watch or the service is gone.
async fn apply(service: Weak<Inner>, mut changes: watch::Receiver<Wanted>) {
    while changes.changed().await.is_ok() {
        let wanted = changes.borrow_and_update().clone();
        let Some(inner) = service.upgrade() else {
            return;
        };
        let service = ConnectionService { inner };
        match service.reload(wanted).await {
            Ok(report) if report.is_complete() => {}
            Ok(report) => tracing::warn!(?report, "the changed configuration is taken in part"),
            Err(error) => tracing::warn!("the changed configuration is not taken: {error}"),
        }
    }
}
