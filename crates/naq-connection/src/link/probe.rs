//! The proof that the server has read everything that was sent before.
//!
//! The server reads a connection in order, so an answer to a message proves that all earlier ones
//! were read. The quick probe asks on a subject where nobody listens: the "no responders" status
//! is the answer. Where somebody listens to everything (`nats sub ">"`) that status does not come;
//! then we send a message to ourselves, which costs a subscription.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use async_nats::{Request, RequestError, RequestErrorKind};
use bytes::Bytes;
use tokio::time::{Instant, timeout};

use super::client::{Link, lost};
use crate::error::{ConnectionError, ConnectionErrorKind};

const SUBJECT: &str = "_naq.flush";
/// So long the quick probe may be silent.
pub(crate) const SILENCE: Duration = Duration::from_millis(250);

/// Whether there is still hope for the quick answer. Ended by whoever polls the probe and has a timer
/// anyway, so that a flush needs one timer and not two.
#[derive(Debug, Default)]
pub(crate) struct Patience(AtomicBool);

impl Patience {
    /// Poll the probe again after this.
    pub(crate) fn end(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Ends after [`SILENCE`], for who has no timer.
    async fn timed<T>(&self, probe: impl Future<Output = T>) -> T {
        let mut probe = pin!(probe);
        if let Ok(outcome) = timeout(SILENCE, &mut probe).await {
            return outcome;
        }
        self.end();
        probe.await
    }

    async fn over(&self) {
        poll_fn(|_| match self.0.load(Ordering::Relaxed) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }
}

impl Link {
    /// Proves that the server has read all that was sent, in the epoch that is current now.
    ///
    /// Waits for a connection and for the answer without limit: the caller has the deadline.
    pub(crate) async fn confirm(&self) -> Result<(), ConnectionError> {
        let epoch = self.connected_epoch().await?;
        let patience = Patience::default();
        patience.timed(self.confirm_in(epoch, &patience)).await
    }

    /// Asks the server for a sign of life, without limit.
    pub(super) async fn ask(&self) -> Result<(), ConnectionError> {
        let patience = Patience::default();
        patience.timed(self.probe(&patience)).await
    }

    /// As [`confirm`](Self::confirm), but fails unless `epoch` is up from start to end.
    pub(crate) async fn confirm_in(
        &self,
        epoch: u64,
        patience: &Patience,
    ) -> Result<(), ConnectionError> {
        let (published, queued) = (self.published.messages(), self.budget.queued());
        let start = Instant::now();
        let answer = tokio::select! {
            biased;
            error = self.lost(epoch) => return Err(error),
            answer = self.probe(patience) => answer,
        };
        answer?;
        if self.up_now() != Some(epoch) {
            return Err(lost(epoch));
        }
        self.meter().round_trip(start.elapsed());
        self.budget.sent(queued);
        self.published.confirm(published);
        Ok(())
    }

    async fn probe(&self, patience: &Patience) -> Result<(), ConnectionError> {
        if self.overheard.load(Ordering::Relaxed) {
            self.touch();
            return self.answered(self.echo().await);
        }
        let request = Request::new().payload(Bytes::new()).timeout(None);
        let mut quiet = pin!(self.client.send_request(SUBJECT, request));
        let awaited = self.await_reply();
        let answer = tokio::select! {
            biased;
            answer = &mut quiet => answer,
            () = patience.over() => tokio::select! {
                answer = quiet => answer,
                answer = self.echo() => {
                    self.overheard.store(true, Ordering::Relaxed);
                    return self.answered(answer);
                }
            },
        };
        awaited.came();
        self.answered(answer.map(drop))
    }

    /// A message to ourselves, and back.
    async fn echo(&self) -> Result<(), RequestError> {
        let inbox = self.client.new_inbox();
        let request = Request::new().inbox(inbox.clone()).timeout(None);
        self.client.send_request(inbox, request).await.map(drop)
    }

    fn answered(&self, answer: Result<(), RequestError>) -> Result<(), ConnectionError> {
        match answer {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == RequestErrorKind::NoResponders => Ok(()),
            Err(error) => Err(ConnectionError::with_source(
                ConnectionErrorKind::Closed,
                "the client ended during a flush",
                error,
            )),
        }
    }
}
