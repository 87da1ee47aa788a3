//! Make before break: another client in the place of one that works.
//!
//! A lease stays on the client that it was taken from; the next one is on the new client. What
//! becomes of the old one is in `tend`.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::answer::Replacement;
use super::place::{Slot, runtime};
use crate::dial::Plan;
use crate::error::ConnectionError;
use crate::events::ReplaceReason;

impl Slot {
    /// Puts a client that is dialled from now on in the place of the one that is there; without
    /// one there is nothing to do. Calls at the same time share one dial.
    ///
    /// Dropping the future only stops the waiting.
    pub(crate) async fn replace(
        self: &Arc<Self>,
        reason: ReplaceReason,
    ) -> Result<(), ConnectionError> {
        let (newest, runtime) = (self.plan()?, runtime()?);
        let wished = self.lock().machine.newest_dial();
        loop {
            match self.wish(wished) {
                Replacement::Nothing | Replacement::Done => return Ok(()),
                Replacement::Wait(dial) => self.until_settled(dial).await,
                Replacement::Join(dial) => return self.outcome(dial).await,
                Replacement::Dial(dial) => {
                    self.start_replacement(dial, reason, newest.load_full(), &runtime);
                    return self.outcome(dial).await;
                }
            }
        }
    }

    /// As [`replace`](Self::replace), by another plan, which is valid from then on. If the dial
    /// fails, the old plan stays, and the client with it.
    pub(crate) async fn adopt(self: &Arc<Self>, plan: Plan) -> Result<(), ConnectionError> {
        let (newest, plan, runtime) = (self.plan()?, Arc::new(plan), runtime()?);
        loop {
            let wished = self.lock().machine.newest_dial();
            match self.wish(wished) {
                // A dial may begin right now, by the old plan: it is valid once more has been seen.
                Replacement::Nothing => {
                    newest.store(Arc::clone(&plan));
                    if self.lock().machine.newest_dial() == wished {
                        return Ok(());
                    }
                }
                Replacement::Done | Replacement::Join(_) => {}
                Replacement::Wait(dial) => self.until_settled(dial).await,
                Replacement::Dial(dial) => {
                    self.start_replacement(dial, ReplaceReason::Reload, plan, &runtime);
                    return self.outcome(dial).await;
                }
            }
        }
    }

    fn wish(&self, wished: u64) -> Replacement {
        self.lock().machine.replace(wished)
    }

    fn start_replacement(
        self: &Arc<Self>,
        dial: u64,
        reason: ReplaceReason,
        plan: Arc<Plan>,
        runtime: &Handle,
    ) {
        let old = self.current().map(|held| (reason, held));
        self.start(dial, plan, old, runtime);
    }

    async fn outcome(&self, dial: u64) -> Result<(), ConnectionError> {
        self.until_settled(dial).await;
        // A later dial may have failed, after this one had succeeded.
        if self.lock().machine.in_place() >= Some(dial) {
            return Ok(());
        }
        Err(self.failure_of(dial).unwrap_or_else(|| self.refused()))
    }
}
