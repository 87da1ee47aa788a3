//! What it asks the server for: its consumer, and jobs.

use tokio::time::Instant;

use super::PullLoop;
use crate::JobsErrorKind;
use crate::control::terms;
use crate::server::{ensure_consumer, repair_streams};
use crate::worker::inbox::{Inbox, Request};
use crate::worker::puller::{Puller, Timing};
use crate::worker::runner::Runner;
use crate::worker::slots::Ask;

impl PullLoop {
    /// Makes the consumer again if it is missing, looks behind it if it is time, and asks for jobs if slots are free.
    pub(super) async fn ask(&mut self, inbox: &Inbox, puller: &mut Puller) {
        self.look_behind(&inbox.conn).await;
        if puller.is_missing(Instant::now()) {
            let Runner { link, steering, .. } = &*self.runner;
            let terms = terms(link, &self.queue, &steering.queue(&self.queue));
            let level = (&self.queue, self.priority);
            match ensure_consumer(&inbox.conn, link, level, terms).await {
                Ok(consumer) => {
                    self.set_lease_time(consumer.1, puller);
                    puller.found(Instant::now());
                }
                Err(error) => {
                    if error.kind() == JobsErrorKind::Unavailable || !error.is_transient() {
                        tracing::warn!(queue = %self.queue, %error, "the queue has no consumer");
                    }
                    if error.kind() == JobsErrorKind::Unavailable {
                        drop(repair_streams(&self.runner.link).await);
                    }
                    self.give_back(puller.failed(Instant::now()));
                    return;
                }
            }
        }
        if !puller.may_ask(Instant::now()) {
            return;
        }
        let ask = self.slots.grant(self.lane);
        if ask.count == 0 {
            return;
        }
        puller.asked(ask.count, ask.no_wait, Instant::now());
        let (link, request) = (&self.runner.link, self.request(ask));
        if let Err(error) = inbox.ask(link, &self.consumer.0, &request).await {
            tracing::warn!(queue = %self.queue, %error, "could not ask for jobs");
            self.give_back(puller.failed(Instant::now()));
        }
    }

    fn request(&self, ask: Ask) -> Request {
        if ask.no_wait {
            return Request::no_wait(ask.count);
        }
        let timing = Timing::of(self.consumer.1);
        // Each queue keeps one slot; the others that it has asked for may be needed elsewhere.
        let is_brief = self.slots.with(|s| s.is_shared() && s.asked(self.lane) > 1);
        let timing = if is_brief { timing.brief() } else { timing };
        Request::open(ask.count, timing)
    }
}
