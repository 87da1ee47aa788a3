//! The thread of a watch.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::error::WatchError;
use super::places::directories;
use crate::{ConfigError, Loaded, Loader};

/// So long nothing may have happened before the files are read: a writer may be in the middle.
const QUIET: Duration = Duration::from_millis(250);
/// So long a directory in which always something happens can hold it up.
const LONGEST: Duration = Duration::from_secs(2);

/// A watch that runs; it ends when this is dropped, which waits for a callback that runs now.
#[derive(Debug)]
#[must_use = "dropping it ends the watch"]
pub struct Watch {
    stop: Arc<AtomicBool>,
    wake: SyncSender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Loader {
    /// Loads the settings, and calls `on_change` with the new ones whenever a file makes a
    /// difference.
    ///
    /// The callback runs on a thread of the watch. It gets settings that differ from the last
    /// good ones or, once per different report, what is wrong with a file: the program then keeps
    /// the settings that it has. A change is noticed about 250 ms after the last write of a burst.
    /// Environment variables and flags are those of the loader and do not change. A standard file
    /// that comes into being is noticed if its directory was there at the start.
    ///
    /// ```no_run
    /// let loader = naq_config::Loader::new().standard_files().process_env();
    /// let (loaded, watch) = loader.watch(|changed| match changed {
    ///     Ok(loaded) => println!("now {} workers", loaded.settings.workers.concurrency),
    ///     Err(error) => eprintln!("not taken: {error}"),
    /// })?;
    /// # drop((loaded, watch));
    /// # Ok::<(), naq_config::WatchError>(())
    /// ```
    ///
    /// # Errors
    /// `Settings` as [`load`](Self::load). `System` or `Thread` if the system refuses to watch.
    ///
    /// # Panics
    /// Never here. If the callback panics, the watch has ended.
    pub fn watch(
        self,
        on_change: impl FnMut(Result<Loaded, ConfigError>) + Send + 'static,
    ) -> Result<(Loaded, Watch), WatchError> {
        let (wake, woken) = sync_channel(1);
        let events = wake.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // An error means that events may have been lost: that too is a reason to look.
            if event.is_ok_and(|event| is_reading(event.kind)) {
                return;
            }
            // Woken already if the place is taken.
            let _ignored = events.try_send(());
        })?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut task = Task {
            loader: self,
            watcher,
            watched: BTreeSet::new(),
            woken,
            stop: Arc::clone(&stop),
        };
        task.follow()?;
        // Read after the watch has begun, so that no change falls between the two.
        let loaded = task.loader.clone().load()?;
        let last = loaded.clone();
        let thread = thread::Builder::new()
            .name("naq-config-watch".to_owned())
            .spawn(move || task.run(last, on_change))?;
        let watch = Watch {
            stop,
            wake,
            thread: Some(thread),
        };
        Ok((loaded, watch))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Woken already if the place is taken, gone already if there is no receiver.
        let _ignored = self.wake.try_send(());
        if let Some(thread) = self.thread.take() {
            // The callback may drop its own watch, and cannot wait for itself.
            if thread.thread().id() != thread::current().id() {
                // A callback that has panicked has told so.
                let _ignored = thread.join();
            }
        }
    }
}

struct Task {
    loader: Loader,
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
    woken: Receiver<()>,
    stop: Arc<AtomicBool>,
}

impl Task {
    fn run(mut self, last: Loaded, mut on_change: impl FnMut(Result<Loaded, ConfigError>)) {
        let (mut good, mut bad) = (last, None);
        while self.settled() {
            // A directory that cannot be watched any more is looked for again at the next change.
            let _ignored = self.follow();
            match self.loader.clone().load() {
                Ok(loaded) => {
                    let was_bad = bad.take().is_some();
                    if was_bad || loaded.settings != good.settings {
                        good = loaded.clone();
                        on_change(Ok(loaded));
                    }
                }
                Err(error) if bad.as_ref() == Some(&error) => {}
                Err(error) => {
                    bad = Some(error.clone());
                    on_change(Err(error));
                }
            }
        }
    }

    /// Waits until something has happened and it is quiet again; false when the watch shall end.
    fn settled(&self) -> bool {
        if self.woken.recv().is_err() || self.is_stopped() {
            return false;
        }
        let latest = Instant::now() + LONGEST;
        loop {
            let left = latest.saturating_duration_since(Instant::now());
            match self.woken.recv_timeout(QUIET.min(left)) {
                Ok(()) if !left.is_zero() && !self.is_stopped() => {}
                Ok(()) | Err(RecvTimeoutError::Timeout) => return !self.is_stopped(),
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Watches the directories that the files are in now.
    fn follow(&mut self) -> Result<(), notify::Error> {
        let wanted = directories(&self.loader.candidates());
        for gone in self.watched.difference(&wanted) {
            // It may have been removed, and its watch with it.
            let _ignored = self.watcher.unwatch(gone);
        }
        let mut watched = BTreeSet::new();
        let mut refused = None;
        for directory in wanted {
            // Again also if it was there before: another directory may have its name now.
            match self.watcher.watch(&directory, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    watched.insert(directory);
                }
                Err(error) => refused = Some(error),
            }
        }
        self.watched = watched;
        refused.map_or(Ok(()), Err)
    }
}

/// Whether nothing has changed: our own reading must not wake us.
fn is_reading(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) => true,
        _ => false,
    }
}
