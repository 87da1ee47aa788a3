//! The orderly end of a client: confirm, drain, wait until its task is gone.
//!
//! In this order: a drain alone can end the task with a full write buffer, and a client whose last
//! handle is dropped forgets what it has not written.

use tokio::time::{Instant, timeout_at};
use tracing::field::Empty;
use tracing::{Instrument, info_span};

use super::client::Link;
use crate::monitor::Activity;

/// How the end of one client went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Closing {
    /// The task of the client is gone.
    pub(crate) ended: bool,
    /// Messages that were accepted and never confirmed.
    pub(crate) unconfirmed: u64,
}

impl Link {
    /// Ends the client by `deadline`. While the server is down it waits for it only if something
    /// is left to deliver. Idempotent.
    pub(crate) async fn close(&self, deadline: Instant) -> Closing {
        let activity = Activity::start(info_span!(
            "close",
            profile = self.meter().profile(),
            lane = self.meter().lane(),
            epoch = self.state().epoch,
            outcome = Empty,
            duration = Empty,
        ));
        let span = activity.span().clone();
        let closing = self.end(deadline).instrument(span).await;
        activity.end(match closing {
            Closing { ended: false, .. } => "stalled",
            Closing { unconfirmed: 0, .. } => "ok",
            Closing { .. } => "unconfirmed",
        });
        closing
    }

    async fn end(&self, deadline: Instant) -> Closing {
        if self.is_up() || self.unconfirmed() > 0 {
            // A connection that drops during the flush may come back in time: try again.
            while timeout_at(deadline, self.confirm())
                .await
                .is_ok_and(|confirmed| confirmed.is_err_and(|e| !self.is_over(&e)))
            {}
        }
        if self.is_up() {
            // On a stalled link the command channel may be full: hence the deadline.
            let _queued = timeout_at(deadline, self.client.drain()).await;
            let _ended = timeout_at(deadline, self.feed.until_ended()).await;
        }
        self.feed.stop();
        let ended = timeout_at(
            deadline.max(Instant::now() + GRACE),
            self.feed.until_ended(),
        )
        .await;
        Closing {
            ended: ended.is_ok(),
            unconfirmed: self.unconfirmed(),
        }
    }

    fn is_over(&self, error: &crate::ConnectionError) -> bool {
        use crate::ConnectionErrorKind as Kind;
        matches!(error.kind(), Kind::Closed | Kind::ReconnectsExhausted) || self.has_ended()
    }
}

/// A stopped task needs a moment to be gone, also when the deadline has just passed.
const GRACE: std::time::Duration = std::time::Duration::from_millis(50);
