//! What the callbacks inside a client may hold: a way to tell its owner, and a way to be told that
//! there is no owner any more. Never the client itself, which would keep itself alive.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::field::Empty;
use tracing::info_span;

use super::client::Link;
use crate::monitor::{Activity, Meter};

/// News of a client.
#[derive(Debug, Clone)]
pub(crate) enum Signal {
    /// What is true now: connects so far, whether it is up, attempts since it was.
    Observed {
        connects: u64,
        up: bool,
        attempts: u32,
    },
    /// It gives up.
    Exhausted { attempts: u32 },
    /// The server refuses the credentials, and will go on to.
    Refused,
    /// The server is about to shut down.
    LameDuck,
    /// The client dropped a message of this subscription.
    SlowConsumer(u64),
    /// The server reports an error.
    ServerError(String),
    /// Nothing comes in any more.
    Stalled,
    /// Its connection task has ended.
    Ended,
}

/// Where the news go.
pub(crate) type Report = Arc<dyn Fn(Signal) + Send + Sync>;

pub(crate) struct Feed {
    meter: Arc<Meter>,
    report: Report,
    link: OnceLock<Weak<Link>>,
    attempts: AtomicU32,
    outage: Mutex<Option<Activity>>,
    lame_duck: Notify,
    moving: Notify,
    stop: CancellationToken,
    ended: CancellationToken,
}

impl Feed {
    pub(crate) fn new(meter: Arc<Meter>, report: Report) -> Self {
        Self {
            meter,
            report,
            link: OnceLock::new(),
            attempts: AtomicU32::new(0),
            outage: Mutex::new(None),
            lame_duck: Notify::new(),
            moving: Notify::new(),
            stop: CancellationToken::new(),
            ended: CancellationToken::new(),
        }
    }

    pub(crate) fn profile(&self) -> &str {
        self.meter.profile()
    }

    pub(crate) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    pub(super) fn attach(&self, link: &Arc<Link>) {
        // Set once, by the dial that made both.
        let _already = self.link.set(Arc::downgrade(link));
    }

    /// Whether the first connect is over.
    pub(crate) fn is_attached(&self) -> bool {
        self.link.get().is_some()
    }

    /// Connects so far; `None` when nobody holds the client any more.
    pub(crate) fn connects(&self) -> Option<u64> {
        if self.stop.is_cancelled() {
            return None;
        }
        self.link().map(|link| link.connects())
    }

    /// An attempt to reconnect starts, the n-th since the loss.
    pub(crate) fn attempting(&self, attempts: u32) {
        self.attempts.store(attempts, Ordering::Relaxed);
        self.moving.notify_one();
        self.observe();
    }

    /// Looks at the client and tells what is true now.
    pub(crate) fn observe(&self) {
        if let Some(link) = self.link() {
            let up = link.is_up();
            self.trace(&link, up);
            (self.report)(Signal::Observed {
                connects: link.connects(),
                up,
                attempts: self.attempts.load(Ordering::Relaxed),
            });
        }
    }

    /// Tells what is not only about the state.
    pub(crate) fn tell(&self, signal: Signal) {
        match signal {
            Signal::LameDuck => self.lame_duck.notify_one(),
            Signal::Exhausted { .. } => self.outage_ends("gave up"),
            Signal::Refused => self.outage_ends("refused"),
            _ => {}
        }
        (self.report)(signal);
    }

    pub(super) async fn until_lame_duck(&self) {
        self.lame_duck.notified().await;
    }

    /// Waits until the client begins to reconnect, or has begun since the last wait.
    pub(super) async fn until_moving(&self) {
        self.moving.notified().await;
    }

    /// The connection task is over.
    pub(crate) fn end(&self) {
        self.outage_ends("closed");
        self.ended.cancel();
        (self.report)(Signal::Ended);
    }

    pub(crate) async fn until_ended(&self) {
        self.ended.cancelled().await;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Nobody wants this client any more: it must not reconnect.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    pub(crate) async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Spans the time from a loss to the connection after it.
    fn trace(&self, link: &Link, up: bool) {
        if up {
            return self.outage_ends("ok");
        }
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        if outage.is_none() {
            *outage = Some(Activity::start(info_span!(
                "reconnect",
                profile = self.meter.profile(),
                lane = self.meter.lane(),
                epoch = link.state().epoch,
                outcome = Empty,
                duration = Empty,
            )));
        }
    }

    fn outage_ends(&self, outcome: &'static str) {
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        let activity = outage.take();
        drop(outage);
        if let Some(activity) = activity {
            activity.end(outcome);
        }
    }

    fn link(&self) -> Option<Arc<Link>> {
        self.link.get()?.upgrade()
    }
}

/// Tells of the end of a connection task by being dropped with it. The client's own `Closed` event
/// comes only after a drain; this comes also after a panic and with the end of the runtime.
pub(crate) struct EndGuard(Arc<Feed>);

impl EndGuard {
    pub(crate) fn new(feed: Arc<Feed>) -> Self {
        Self(feed)
    }
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.end();
    }
}
