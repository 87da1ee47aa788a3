//! One consumer of events, over one connection epoch: made, asked, and left when anything is odd about it.

use std::time::{Duration, SystemTime};

use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use naq_connection::{Connection, State, Subscription};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::server::{ApiError, call, leave_reader, refused, rfc3339};
use crate::{JobsError, JobsErrorKind};

/// Messages that one request asks for.
const BATCH: u64 = 256;

/// Longest life of a request, and time between two signs of life of the server.
const EXPIRES: Duration = Duration::from_secs(10);
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Time after which the server forgets a consumer that nobody asks, and one that ends where the stream does: many of those may
/// come and go. Who is slower makes another one.
const INACTIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(2));

/// A delivery of a durable consumer that is not acknowledged comes again after this time.
const ACK_WAIT: Duration = Duration::from_secs(60);

/// Where a reader begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Sequence(u64),
    Time(SystemTime),
}

/// What a consumer is asked for.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) stream: String,
    pub(super) filters: Vec<String>,
    /// It goes on where it was, and each message is acknowledged.
    pub(super) durable: Option<String>,
    /// It ends where the stream ends.
    pub(super) is_bounded: bool,
}

/// A message of the stream.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) sequence: u64,
    /// When it was stored, in milliseconds since 1970.
    pub(super) stored_ms: u64,
    pub(super) body: Bytes,
    /// Where it is acknowledged.
    pub(super) reply: String,
    /// Messages that come after it by now.
    pub(super) pending: u64,
}

/// What came of waiting.
pub(super) enum Next {
    Item(Item),
    /// The stream has no more (only if bounded).
    End,
    /// The consumer cannot be trusted any more: make another one.
    Lost,
}

/// An open consumer.
pub(super) struct Session {
    conn: Connection,
    states: watch::Receiver<State>,
    epoch: u64,
    inbox: String,
    replies: Subscription,
    name: String,
    /// Messages that may still come of the last request.
    credit: u64,
    /// Its number in the consumer of the last message; only counted where nothing is delivered twice.
    last: Option<u64>,
    plan: Plan,
}

impl Session {
    pub(super) async fn open(
        conn: Connection,
        plan: &Plan,
        start: Start,
    ) -> Result<Self, JobsError> {
        let name = plan.durable.clone();
        let name = name.unwrap_or_else(|| format!("naq-reader-{}", ulid::Ulid::generate()));
        make(&conn, plan, &name, start).await?;
        let (states, inbox) = (conn.states(), conn.new_inbox());
        let epoch = states.borrow().epoch;
        let replies = conn.subscribe(inbox.clone()).await;
        let replies = replies.map_err(|e| JobsError::connection("listen for events", e))?;
        Ok(Self {
            name,
            conn,
            states,
            epoch,
            inbox,
            replies,
            credit: 0,
            last: None,
            plan: plan.clone(),
        })
    }

    /// The next message. Cancel safe: what is not given out is not counted as seen.
    pub(super) async fn next(&mut self) -> Next {
        let mut heard = Instant::now();
        loop {
            if self.credit == 0 && self.request().await.is_err() {
                return Next::Lost;
            }
            let message = tokio::select! {
                biased;
                message = self.replies.next() => message,
                () = lost(&mut self.states, self.epoch) => None,
                () = tokio::time::sleep_until(heard + HEARTBEAT * 3) => None,
            };
            let Some(message) = message else {
                return Next::Lost;
            };
            heard = Instant::now();
            match message.status.map(|status| status.as_u16()) {
                None => return self.take(message),
                Some(100) => {}
                // The request is over: nothing there, or its time is.
                Some(404 | 408) if self.plan.is_bounded => return Next::End,
                Some(404 | 408) => self.credit = 0,
                Some(_) => return Next::Lost,
            }
        }
    }

    /// Acknowledges a message of a durable consumer, or asks for more time.
    pub(super) async fn answer(&self, reply: &str, word: &'static str) {
        if let Err(error) = self.conn.publish(reply.to_owned(), word).await {
            tracing::debug!(%error, "an event comes again");
        }
    }

    /// Nobody reads any more.
    pub(super) async fn leave(self) {
        if self.plan.durable.is_none() {
            leave_reader(&self.conn, &self.plan.stream, &self.name).await;
        }
    }

    fn take(&mut self, message: Message) -> Next {
        self.credit = self.credit.saturating_sub(1);
        let Some((item, number)) = read(message) else {
            return Next::Lost;
        };
        let expected = self.last.map_or(number, |last| last + 1);
        if self.plan.durable.is_none() && number != expected {
            // Something was lost on the way, for example because we were slow.
            return Next::Lost;
        }
        self.last = Some(number);
        Next::Item(item)
    }

    async fn request(&mut self) -> Result<(), JobsError> {
        // What a durable consumer gives out is leased: no more than is handled in that time.
        let batch = if self.plan.durable.is_some() {
            8
        } else {
            BATCH
        };
        let mut request = json!({ "batch": batch });
        if self.plan.is_bounded {
            request["no_wait"] = true.into();
        } else {
            request["expires"] = nanos(EXPIRES).into();
            request["idle_heartbeat"] = nanos(HEARTBEAT).into();
        }
        let ask = format!(
            "$JS.API.CONSUMER.MSG.NEXT.{}.{}",
            self.plan.stream, self.name
        );
        let inbox = self.inbox.clone();
        let sent = self
            .conn
            .publish_with_reply(ask, inbox, HeaderMap::new(), request.to_string());
        sent.await
            .map_err(|e| JobsError::connection("ask for events", e))?;
        self.credit = batch;
        Ok(())
    }
}

/// Makes the consumer; one that is there already and durable goes on where it was.
async fn make(conn: &Connection, plan: &Plan, name: &str, start: Start) -> Result<(), JobsError> {
    let inactive = match plan.is_bounded {
        true => INACTIVE.1,
        false => INACTIVE.0,
    };
    let mut config = json!({
        "name": name,
        "filter_subjects": plan.filters,
        "ack_policy": "none",
        "replay_policy": "instant",
        "inactive_threshold": nanos(inactive),
        "mem_storage": true,
        "num_replicas": 1,
    });
    match start {
        Start::Sequence(sequence) => {
            config["deliver_policy"] = "by_start_sequence".into();
            config["opt_start_seq"] = sequence.max(1).into();
        }
        Start::Time(time) => {
            config["deliver_policy"] = "by_start_time".into();
            config["opt_start_time"] = rfc3339(time).into();
        }
    }
    if plan.durable.is_some() {
        let verb = format!("CONSUMER.INFO.{}.{name}", plan.stream);
        if call::<Value>(conn, &verb, &()).await?.is_ok() {
            return Ok(());
        }
        config["durable_name"] = name.into();
        config["ack_policy"] = "explicit".into();
        config["ack_wait"] = nanos(ACK_WAIT).into();
        config["max_deliver"] = (-1).into();
        for key in ["inactive_threshold", "mem_storage", "num_replicas"] {
            config.as_object_mut().map(|fields| fields.remove(key));
        }
    }
    let verb = format!("CONSUMER.CREATE.{}.{name}", plan.stream);
    let body = json!({ "stream_name": plan.stream, "config": config, "action": "" });
    match call::<Value>(conn, &verb, &body).await? {
        Ok(_) => Ok(()),
        Err(error) if error.err_code == ApiError::STREAM_NOT_FOUND => Err(JobsError::new(
            JobsErrorKind::Unavailable,
            "read events: their stream is gone",
        )),
        Err(error) => Err(refused("read events", error)),
    }
}

/// A message and its number in the consumer.
fn read(message: Message) -> Option<(Item, u64)> {
    let reply = message.reply.as_ref()?.to_string();
    let parts: Vec<&str> = reply.split('.').collect();
    // `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time>.<pending>`, or the longer form with
    // domain and account in front, and a random part at the end.
    let at = if parts.len() >= 11 { 7 } else { 5 };
    let number = |index: usize| parts.get(index)?.parse::<u64>().ok();
    let item = Item {
        sequence: number(at)?,
        stored_ms: number(at + 2)? / 1_000_000,
        pending: number(at + 3)?,
        body: message.payload,
        reply: reply.clone(),
    };
    Some((item, number(at + 1)?))
}

/// Completes when the epoch is over.
async fn lost(states: &mut watch::Receiver<State>, epoch: u64) {
    let over = |state: &State| state.epoch != epoch || !state.is_connected();
    // An error means that the client has ended, which is no less over.
    drop(states.wait_for(over).await.map(|_| ()));
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Removes a durable consumer; `false` if there was none.
pub(super) async fn remove(conn: &Connection, stream: &str, name: &str) -> Result<bool, JobsError> {
    let verb = format!("CONSUMER.DELETE.{stream}.{name}");
    let gone = timeout(conn.request_timeout(), call::<Value>(conn, &verb, &()));
    let late = |_| JobsError::new(JobsErrorKind::Timeout, "remove a processor");
    match gone.await.map_err(late)?? {
        Ok(_) => Ok(true),
        Err(error) => match error.err_code {
            ApiError::CONSUMER_NOT_FOUND | ApiError::STREAM_NOT_FOUND => Ok(false),
            _ => Err(refused("remove a processor", error)),
        },
    }
}
