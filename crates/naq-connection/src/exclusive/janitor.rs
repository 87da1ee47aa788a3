//! Ends the connections whose owner left without closing them: flush, drain, wait until closed.
//!
//! An owner may leave by an error, a panic or a cancellation, where nothing can be awaited. The
//! connection then goes to a task of the service, which keeps it until it is closed or
//! `drain_timeout` has passed. Its place is free again only after that.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slab::Slab;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use super::stay::CloseReport;
use crate::slot::Slot;

pub(crate) struct Janitor {
    places: Arc<Semaphore>,
    slots: Mutex<Slab<Arc<Slot>>>,
    unconfirmed: AtomicU64,
    tasks: TaskTracker,
}

impl Janitor {
    /// `limit`: so many connections at a time. `tasks` are joined by the shutdown.
    pub(crate) fn new(limit: usize, tasks: TaskTracker) -> Self {
        Self {
            places: Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))),
            slots: Mutex::default(),
            unconfirmed: AtomicU64::new(0),
            tasks,
        }
    }

    /// Waits for a place, first come, first served; `None` after [`refuse`](Self::refuse).
    pub(crate) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    /// No new ones any more.
    pub(crate) fn refuse(&self) {
        self.places.close();
    }

    /// Those that are there: with an owner, or on their way out.
    pub(crate) fn slots(&self) -> Vec<Arc<Slot>> {
        let slots = self.lock();
        slots.iter().map(|(_, slot)| Arc::clone(slot)).collect()
    }

    /// Messages that nobody confirmed, of connections that were ended here.
    pub(crate) fn unconfirmed(&self) -> u64 {
        self.unconfirmed.load(Ordering::Relaxed)
    }

    pub(super) fn enter(&self, slot: Arc<Slot>) -> usize {
        self.lock().insert(slot)
    }

    pub(super) fn forget(&self, key: usize) {
        let slot = self.lock().try_remove(key);
        drop(slot);
    }

    /// Waits in the background for the end of a connection.
    pub(super) fn take_over(
        self: &Arc<Self>,
        ending: impl Future<Output = CloseReport> + Send + 'static,
        runtime: &Handle,
    ) {
        let janitor = Arc::clone(self);
        let ending = async move {
            let report = ending.await;
            janitor
                .unconfirmed
                .fetch_add(report.unconfirmed, Ordering::Relaxed);
        };
        self.tasks.spawn_on(ending, runtime);
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
