//! The job's end of a held lease.

use std::sync::Arc;

use async_nats::Subject;
use tokio::time::Instant;

use super::held::Held;
use super::table::Holds;
use crate::worker::JobContext;
use crate::worker::signal::Signal;

/// One held lease; dropping it forgets it, however the job ended.
#[derive(Debug)]
pub(in crate::worker) struct Hold {
    holds: Holds,
    pub(super) held: Arc<Held>,
}

impl Hold {
    pub(super) fn new(holds: Holds, held: Arc<Held>) -> Self {
        Self { holds, held }
    }

    /// Given when the lease has lapsed.
    pub(in crate::worker) fn lost(&self) -> &Signal {
        &self.held.lost
    }

    /// Where the job is acknowledged now; `None` if another delivery has taken its place.
    pub(in crate::worker) fn reply(&self) -> Option<Subject> {
        let now = self.held.lock();
        (!now.is_replaced).then(|| now.reply.clone())
    }

    /// Completes when [`Self::reply`] has changed since the last call.
    pub(in crate::worker) async fn moved(&self) {
        self.held.moved.notified().await;
    }

    /// Whether the lease has lapsed by now, also if nobody has looked at the clock for a while (a stopped process).
    pub(in crate::worker) fn has_lapsed(&self) -> bool {
        let mut now = self.held.lock();
        let lapsed = now.is_replaced || now.lease.check(Instant::now());
        drop(now);
        if lapsed {
            self.held.lost.give();
        }
        lapsed
    }

    /// As [`Holds::give_up`].
    pub(in crate::worker) fn give_up(&self) {
        self.holds.give_up_held(&self.held);
    }

    /// Shows the attempt in [`Holds::running`].
    pub(in crate::worker) fn runs(&self, context: JobContext, since_ms: u64) {
        self.held.lock().running = Some((context, since_ms));
        self.holds.stir();
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.holds.remove(&self.held);
        self.holds.stir();
    }
}
