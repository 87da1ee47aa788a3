//! From one connection epoch to the next, and what comes in meanwhile.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Message;
use futures::FutureExt;
use naq_connection::{Phase, State, Subscription};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::behind::Behind;
use crate::model::{Priority, QueueName};
use crate::worker::delivery::Delivered;
use crate::worker::inbox::{Inbox, classify};
use crate::worker::puller::{Event, Lost, Puller, Timing};
use crate::worker::runner::Runner;
use crate::worker::seen::Seen;
use crate::worker::shared_slots::SharedSlots;
use crate::{JobsError, JobsErrorKind};

/// Longest wait of the loop when nothing is to be expected.
const IDLE: Duration = Duration::from_secs(5);

/// Messages that are taken before everything else is looked at again.
const CROWD: usize = 64;

/// Pulls from one queue.
pub(in crate::worker) struct PullLoop {
    pub(in crate::worker) runner: Arc<Runner>,
    pub(in crate::worker) queue: QueueName,
    pub(in crate::worker) priority: Priority,
    pub(in crate::worker) lane: usize,
    pub(in crate::worker) slots: SharedSlots,
    pub(in crate::worker) jobs: TaskTracker,
    /// The consumer and its lease time.
    pub(in crate::worker) consumer: (String, Duration),
    pub(in crate::worker) seen: Seen,
    pub(in crate::worker) behind: Behind,
}

/// How a connection epoch ended for the loop.
enum Over {
    /// The worker stops.
    Stopped,
    /// The connection is a new one, or is being restored.
    Again,
    /// The connection was given up.
    Lost,
    /// Slots were taken away: the requests are withdrawn.
    Withdrawn,
    /// A request for what is there was not answered, and is withdrawn.
    Stood,
}

impl Over {
    /// Whether the epoch is over by the state of its connection.
    fn of(state: State, epoch: u64) -> Option<Self> {
        match state.phase {
            Phase::Failed { .. } => Some(Self::Lost),
            _ if state.epoch != epoch || !state.is_connected() => Some(Self::Again),
            _ => None,
        }
    }
}

impl PullLoop {
    /// Pulls until the worker stops. Ends with an error only if the connection is lost for good.
    pub(in crate::worker) async fn run(mut self) -> Result<(), JobsError> {
        let mut puller = Puller::new(Timing::of(self.consumer.1), Instant::now());
        if self.priority != Priority::Normal {
            // Its consumer may have to be made.
            puller.on(Event::Missing, Instant::now());
            self.slots.open(self.lane);
        }
        let stopping = self.runner.stopping.clone();
        let mut steered = self.runner.steering.watch();
        let mut last_epoch = None;
        let result = loop {
            let inbox = tokio::select! {
                () = stopping.cancelled() => return Ok(()),
                inbox = async {
                    // The sender lives in the runner, so this cannot fail.
                    drop(steered.wait_for(|now| !now.is_quiet).await);
                    self.open().await
                } => inbox,
            };
            match inbox {
                Ok((inbox, news)) => {
                    let lost = puller.on(Event::Reconnected, Instant::now());
                    self.give_back(lost);
                    self.enter(inbox.epoch, &mut last_epoch);
                    match self.epoch(inbox, news, &mut puller).await {
                        Over::Stopped => break Ok(()),
                        Over::Again => {}
                        // What is there is not to be had now, so it is waited for like what is not there.
                        Over::Stood => {
                            self.give_back(puller.on(Event::Reconnected, Instant::now()));
                        }
                        Over::Withdrawn => self.withdraw(&mut puller),
                        Over::Lost => {
                            let context = "keep the connection: it was given up \
                                           (`nats.max_reconnect_attempts`)";
                            break Err(JobsError::new(JobsErrorKind::Disconnected, context));
                        }
                    }
                }
                Err(error) if error.is_transient() => {
                    tracing::warn!(queue = %self.queue, %error, "waiting for the server");
                    let lost = puller.failed(Instant::now());
                    self.give_back(lost);
                    let wake = puller.wake_at(Instant::now()).unwrap_or_else(Instant::now);
                    tokio::select! {
                        () = stopping.cancelled() => break Ok(()),
                        () = tokio::time::sleep_until(wake) => {}
                    }
                }
                Err(error) => break Err(error),
            }
        };
        self.give_back(puller.on(Event::Reconnected, Instant::now()));
        result
    }

    /// The connection has this epoch now.
    fn enter(&mut self, epoch: u64, last: &mut Option<u64>) {
        let before = last.replace(epoch);
        if before == Some(epoch) {
            return;
        }
        if before.is_some() {
            self.behind.reconnected(Instant::now());
        }
        let queues = &self.runner.link.settings().queues;
        let most = queues.max_ack_pending_of(self.queue.as_str());
        self.seen.reconnected(most);
    }

    /// An inbox, and news of the queue.
    async fn open(&self) -> Result<(Inbox, Subscription), JobsError> {
        let (link, context) = (&self.runner.link, "listen for jobs");
        let inbox = Inbox::open(link, context).await?;
        let news = inbox
            .conn
            .subscribe(link.names().control(&self.queue))
            .await;
        let news = news.map_err(|e| JobsError::connection(context, e))?;
        Ok((inbox, news))
    }

    /// Pulls over one connection epoch.
    async fn epoch(
        &mut self,
        mut inbox: Inbox,
        mut news: Subscription,
        puller: &mut Puller,
    ) -> Over {
        let stopping = self.runner.stopping.clone();
        let mut states = inbox.conn.states();
        let slots = self.slots.clone();
        let mut steered = self.runner.steering.watch();
        let mut looking = self.looking(&inbox.conn, 0);
        loop {
            let has_excess = self.slots.with(|slots| slots.has_excess(self.lane));
            if has_excess || steered.borrow_and_update().is_quiet {
                self.drain(inbox).await;
                return Over::Withdrawn;
            }
            self.ask(&inbox, puller).await;
            let now = Instant::now();
            let wake = puller.wake_at(now).unwrap_or(now + IDLE);
            tokio::select! {
                biased;
                () = stopping.cancelled() => {
                    self.drain(inbox).await;
                    return Over::Stopped;
                }
                changed = states.changed() => {
                    let over = Over::of(*states.borrow_and_update(), inbox.epoch);
                    if let Some(over) = over.or(changed.is_err().then_some(Over::Again)) {
                        return over;
                    }
                }
                message = inbox.replies.next() => match message {
                    Some(message) => {
                        self.on_message(message, puller);
                        self.take_what_is_there(&mut inbox, puller);
                    }
                    None => return Over::Again,
                },
                Some(news) = news.next() => if self.on_news(&news) {
                    looking = self.looking(&inbox.conn, 0);
                },
                Some(looked) = &mut looking => {
                    looking = self.on_looked(&inbox.conn, looked, puller).await;
                }
                _ = steered.changed() => {}
                () = slots.changed(self.lane) => {}
                () = tokio::time::sleep_until(wake) => {
                    let lost = puller.tick(Instant::now());
                    if lost == Lost::Stands {
                        self.drain(inbox).await;
                        return Over::Stood;
                    }
                    self.on_silence(lost);
                }
            }
        }
    }

    fn on_silence(&self, lost: Lost) {
        if lost != Lost::Nothing {
            tracing::warn!(queue = %self.queue, "no heartbeat from the server; asking again");
        }
        self.give_back(lost);
    }

    /// Messages come in crowds, and to look at all else for each of them costs more than the message.
    fn take_what_is_there(&mut self, inbox: &mut Inbox, puller: &mut Puller) {
        for _ in 0..CROWD {
            match inbox.replies.next().now_or_never() {
                Some(Some(message)) => self.on_message(message, puller),
                Some(None) | None => return,
            }
        }
    }

    fn on_message(&mut self, message: Message, puller: &mut Puller) {
        let event = classify(&message);
        if event == Event::Missing {
            tracing::warn!(queue = %self.queue, "the consumer was deleted; making it again");
        }
        let now = Instant::now();
        let lost = puller.on(event, now);
        self.give_back(lost);
        match event {
            Event::Job => self.behind.came(now),
            Event::Ended(_) => self.behind.no_more(now),
            _ => {}
        }
        if event == Event::Job {
            self.start(message);
        }
    }

    fn start(&mut self, message: Message) {
        let (runner, lane) = (Arc::clone(&self.runner), self.lane);
        let slot = self.slots.take(lane);
        let Some(mut job) = Delivered::read(message, &self.queue, self.consumer.1) else {
            return;
        };
        job.is_suspect = self.seen.note(job.sequence);
        // Held from here on, not from when the task gets its turn: the next message may be the same job again.
        let Some(hold) = runner.holds.take(&job) else {
            tracing::info!(id = %job.id, "delivered again while it runs here: it goes on");
            return;
        };
        drop(self.jobs.spawn(runner.take(Box::new(job), hold, slot)));
    }

    /// Withdraws the requests and hands back what was already on its way.
    async fn drain(&mut self, mut inbox: Inbox) {
        if inbox.replies.drain().await.is_err() {
            return;
        }
        let deadline = tokio::time::sleep(Duration::from_secs(1));
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                message = inbox.replies.next() => match message {
                    Some(message) if classify(&message) == Event::Job => self.start(message),
                    Some(_) => {}
                    None => return,
                },
                () = &mut deadline => return,
            }
        }
    }

    /// The requests were withdrawn.
    fn withdraw(&self, puller: &mut Puller) {
        let (lane, lost) = (self.lane, puller.on(Event::Reconnected, Instant::now()));
        if let Lost::Credits(count @ 1..) = lost {
            self.slots.freed(lane, |slots| slots.withdrawn(lane, count));
        }
    }

    pub(super) fn give_back(&self, lost: Lost) {
        if let Lost::Credits(count @ 1..) = lost {
            let lane = self.lane;
            self.slots.freed(lane, |slots| slots.returned(lane, count));
        }
    }
}
