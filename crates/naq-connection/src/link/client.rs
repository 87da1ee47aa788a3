//! The client, its JetStream context, its state and its counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_nats::Client;
use async_nats::client::Statistics;
use async_nats::connection::State as ClientState;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use naq_config::settings::NatsSettings;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::buckets::Buckets;
use super::budget::Budget;
use super::feed::Feed;
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::monitor::{Meter, Published};
use crate::state::{Failure, Phase, State};

pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) jetstream: Context,
    pub(crate) buckets: Buckets,
    pub(crate) request_timeout: Duration,
    pub(crate) flush_timeout: Duration,
    pub(super) feed: Arc<Feed>,
    pub(super) budget: Budget,
    pub(super) published: Arc<Published>,
    /// The epoch while it is connected, else zero: what a publish looks at, without the lock of `states`.
    up_in: AtomicU64,
    pub(super) overheard: AtomicBool,
    pub(super) statistics: Arc<Statistics>,
    /// The connect after which nothing came in any more; 0 for none.
    pub(super) stalled: AtomicU64,
    pub(super) retired: CancellationToken,
    pub(super) home: CancellationToken,
    pub(super) abandoned: AtomicU64,
    pub(super) crowded: Notify,
    pub(super) dozing: AtomicBool,
    pub(super) woken: Notify,
    states: watch::Sender<State>,
}

impl Link {
    pub(crate) fn new(client: Client, feed: Arc<Feed>, settings: &NatsSettings) -> Arc<Self> {
        let jetstream = ContextBuilder::new()
            .timeout(settings.request_timeout)
            .build(client.clone());
        let link = Arc::new(Self {
            statistics: client.statistics(),
            client,
            jetstream,
            buckets: Buckets::default(),
            request_timeout: settings.request_timeout,
            flush_timeout: settings.flush_timeout,
            budget: Budget::new(settings.max_pending_bytes),
            published: Arc::default(),
            up_in: AtomicU64::new(0),
            overheard: AtomicBool::new(false),
            stalled: AtomicU64::new(0),
            retired: CancellationToken::new(),
            home: CancellationToken::new(),
            abandoned: AtomicU64::new(0),
            crowded: Notify::new(),
            dozing: AtomicBool::new(false),
            woken: Notify::new(),
            states: watch::Sender::new(State {
                phase: Phase::Dialing,
                epoch: 0,
            }),
            feed,
        });
        link.feed.attach(&link);
        let published = Arc::clone(&link.published);
        link.meter()
            .client_made(Arc::clone(&link.statistics), published);
        link
    }

    pub(crate) fn state(&self) -> State {
        *self.states.borrow()
    }

    pub(crate) fn states(&self) -> watch::Receiver<State> {
        self.states.subscribe()
    }

    pub(crate) fn publish_state(&self, state: State) {
        let up_in = if state.is_connected() { state.epoch } else { 0 };
        self.up_in.store(up_in, Ordering::Release);
        self.states.send_if_modified(|current| {
            let changed = *current != state;
            *current = state;
            changed
        });
    }

    pub(crate) fn connects(&self) -> u64 {
        self.statistics.connects.load(Ordering::Relaxed)
    }

    pub(crate) fn is_up(&self) -> bool {
        self.client.connection_state() == ClientState::Connected
            && self.stalled.load(Ordering::Relaxed) != self.connects()
    }

    /// Where what this client does is counted.
    pub(crate) fn meter(&self) -> &Arc<Meter> {
        self.feed.meter()
    }

    /// Looks for what happened before anybody listened.
    pub(crate) fn observe(&self) {
        self.feed.observe();
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.feed.has_ended()
    }

    /// The epoch in which a message goes out that is queued now: the next one while the connection is
    /// down. An error if the client has ended.
    pub(crate) fn epoch_of_next(&self) -> Result<u64, ConnectionError> {
        if let Some(epoch) = self.up_now() {
            return Ok(epoch);
        }
        let state = self.state();
        self.refuse_ended(state)?;
        Ok(state.epoch + u64::from(!state.is_connected()))
    }

    /// The epoch, if the connection is up.
    pub(crate) fn up_now(&self) -> Option<u64> {
        let up_in = self.up_in.load(Ordering::Acquire);
        (up_in > 0).then_some(up_in)
    }

    /// Waits until a message of this size may be queued, without limit: the caller has the deadline.
    /// From then on it counts as queued, so that it should be at once.
    pub(crate) async fn room(&self, size: usize) -> Result<(), ConnectionError> {
        let room = self.budget.room(&self.client, size).await;
        room.map_err(|_ended| self.closed())
    }

    /// As [`room`](Self::room), false if somebody would have to wait for it.
    pub(crate) fn room_now(&self, size: usize) -> bool {
        self.budget.room_now(size)
    }

    /// Counts a message that the client has accepted.
    pub(crate) fn count_publish(&self) {
        self.published.count_one();
        self.touch();
    }

    /// Accepted messages after the last confirmed flush.
    pub(crate) fn unconfirmed(&self) -> u64 {
        self.published.unconfirmed()
    }

    /// The epoch, once the connection is up.
    pub(crate) async fn connected_epoch(&self) -> Result<u64, ConnectionError> {
        if let Some(epoch) = self.up_now() {
            return Ok(epoch);
        }
        let state = self
            .until(|state| state.is_connected() || state.is_terminal())
            .await;
        self.refuse_ended(state)?;
        Ok(state.epoch)
    }

    /// Resolves when the connection of `epoch` is not up any more.
    pub(crate) async fn lost(&self, epoch: u64) -> ConnectionError {
        self.until(|state| !state.is_connected() || state.epoch != epoch)
            .await;
        lost(epoch)
    }

    async fn until(&self, mut condition: impl FnMut(&State) -> bool) -> State {
        let mut state = self.state();
        let mut states = self.states();
        // The sender lives in `self`, so waiting cannot fail. The copy is made inside, because what
        // `wait_for` returns holds a lock.
        drop(
            states
                .wait_for(|now| {
                    state = *now;
                    condition(now)
                })
                .await,
        );
        state
    }

    /// The error of a call on a client in `state`, if it has ended.
    pub(crate) fn refuse_ended(&self, state: State) -> Result<(), ConnectionError> {
        let profile = self.feed.profile();
        match state.phase {
            Phase::Failed {
                reason: Failure::ReconnectsExhausted { attempts },
            } => Err(ConnectionError::new(
                ConnectionErrorKind::ReconnectsExhausted,
                format!("profile `{profile}`: gave up after {attempts} attempts"),
            )),
            Phase::Failed {
                reason: Failure::Auth,
            } => Err(ConnectionError::new(
                ConnectionErrorKind::AuthFailed,
                format!("profile `{profile}`: the server refused the credentials at a reconnect"),
            )),
            Phase::Closed | Phase::Failed { .. } => Err(self.closed()),
            _ => Ok(()),
        }
    }

    /// The error of a call on a client whose task is gone.
    pub(crate) fn closed(&self) -> ConnectionError {
        ConnectionError::new(
            ConnectionErrorKind::Closed,
            format!(
                "profile `{}`: this client has ended; acquire a new lease",
                self.feed.profile()
            ),
        )
    }
}

pub(crate) fn lost(epoch: u64) -> ConnectionError {
    ConnectionError::new(
        ConnectionErrorKind::ConnectionLost { epoch },
        "the connection dropped before the server confirmed",
    )
}

impl Drop for Link {
    fn drop(&mut self) {
        self.feed.stop();
        self.meter().client_gone(&self.statistics);
        let unconfirmed = self.unconfirmed();
        if unconfirmed > 0 {
            tracing::warn!(
                profile = self.feed.profile(),
                unconfirmed,
                "a connection was dropped with unconfirmed messages; shut the service down to flush them"
            );
        }
    }
}
