//! A black-holed link: the socket is open, and nothing comes in any more.
//!
//! `vigil` says when to ask, this does it. A link that does not answer is made anew by the client
//! itself, with its subscriptions. A client whose writing is stuck as well takes no order any more,
//! and one can hang in an attempt to reconnect; then the link is over, and its leases are told so.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::connection::State as ClientState;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::client::Link;
use super::feed::Signal;
use super::vigil::{Counts, Next, Vigil};

/// Shortest time that the client has for beginning to reconnect when it is told to.
const OBEDIENCE: Duration = Duration::from_millis(500);
/// What is not counted (calls on the client itself) is noticed after this time.
const LONGEST_DOZE: Duration = Duration::from_secs(60);

impl Link {
    /// Watches over the link for as long as the client can be helped.
    ///
    /// `stall`: time from the first unanswered use to the verdict; zero does not watch for it.
    /// `attempt`: time after which the client must have begun another attempt to reconnect.
    pub(crate) async fn until_stuck(&self, stall: Duration, attempt: Duration) {
        while let Ok(epoch) = self.until_restored(attempt).await {
            if stall.is_zero() {
                let _lost = self.lost(epoch).await;
            } else if self.until_stalled(stall).await && !self.reconnects(stall / 2).await {
                break;
            }
        }
        self.feed.stop();
    }

    /// The epoch, once the connection is up; an error if the client hangs in an attempt (a name
    /// look-up has no deadline there) or has ended.
    async fn until_restored(&self, limit: Duration) -> Result<u64, ()> {
        loop {
            tokio::select! {
                biased;
                epoch = self.connected_epoch() => return epoch.map_err(|_over| ()),
                () = self.feed.until_moving() => {}
                () = sleep(limit) => return Err(()),
            }
        }
    }

    /// The link is used: the vigil wakes up.
    pub(crate) fn touch(&self) {
        if self.dozing.load(Ordering::Relaxed) && self.dozing.swap(false, Ordering::Relaxed) {
            self.woken.notify_one();
        }
    }

    /// False if the connection was lost in another way.
    async fn until_stalled(&self, limit: Duration) -> bool {
        // Timers are late by some milliseconds each; the verdict is not.
        let limit = limit - limit / 32;
        let connects = self.connects();
        let mut vigil = Vigil::new(self.counts());
        loop {
            // Two looks and a question are within the limit.
            sleep(limit / 4).await;
            if !self.is_up() || self.connects() != connects {
                return false;
            }
            match vigil.look(self.counts()) {
                Next::Look => {}
                // From now on whoever uses the link sees that it sleeps.
                Next::LastLook => self.dozing.store(true, Ordering::Relaxed),
                Next::Doze => {
                    let _used = timeout(LONGEST_DOZE, self.woken.notified()).await;
                    self.dozing.store(false, Ordering::Relaxed);
                    vigil = Vigil::new(self.counts());
                }
                Next::Ask => match self.answer(limit / 2).await {
                    Answer::Came => vigil.answered(self.counts()),
                    // Still owed, so it is asked again after the next look.
                    Answer::Unclear => vigil = Vigil::new(self.counts()),
                    Answer::None => return self.is_up() && self.connects() == connects,
                },
            }
        }
    }

    /// What comes of a question within `limit`.
    async fn answer(&self, limit: Duration) -> Answer {
        let (came, went) = (self.counts().in_bytes, self.written());
        let deadline = Instant::now() + limit;
        let written = matches!(timeout_at(deadline, self.client.flush()).await, Ok(Ok(())));
        if written && timeout_at(deadline, self.ask()).await.is_ok() {
            return Answer::Came;
        }
        // A backlog that the socket still takes is no stall: then the question is not even out.
        let moves = self.counts().in_bytes != came || !written && self.written() != went;
        match moves || is_late(deadline, limit) {
            true => Answer::Unclear,
            false => Answer::None,
        }
    }

    /// Makes the client give the connection up; false if it does not.
    async fn reconnects(&self, limit: Duration) -> bool {
        self.stalled.store(self.connects(), Ordering::Relaxed);
        self.feed.tell(Signal::Stalled);
        self.observe();
        let obeys = async {
            // An error means that the client has ended, which its owner learns by itself.
            let _ordered = self.client.force_reconnect().await;
            while self.client.connection_state() == ClientState::Connected
                && self.stalled.load(Ordering::Relaxed) == self.connects()
            {
                self.feed.until_moving().await;
            }
        };
        timeout(limit.max(OBEDIENCE), obeys).await.is_ok()
    }

    fn counts(&self) -> Counts {
        Counts {
            in_bytes: self.statistics.in_bytes.load(Ordering::Relaxed),
            out_messages: self.statistics.out_messages.load(Ordering::Relaxed),
        }
    }

    fn written(&self) -> u64 {
        self.statistics.out_bytes.load(Ordering::Relaxed)
    }
}

/// What came of a question.
enum Answer {
    Came,
    /// None so far, but something moves, or this program was too busy to look in time.
    Unclear,
    None,
}

/// Whether this program got so little time that it could not have seen an answer.
fn is_late(deadline: Instant, limit: Duration) -> bool {
    Instant::now() > deadline + limit / 8
}
