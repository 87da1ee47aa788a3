//! The raw client's side: the same operations at the server, written as a careful user of the client would.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::jetstream::{Context, Message};
use futures::{StreamExt, TryStreamExt};
use naq::connection::Connection;
use naq::{JobId, Jobs};

use super::load::Note;
use super::stage::{Stage, broken, lease};
use crate::error::CliError;

/// Publishes on their way at the same time.
const WINDOW: usize = 512;
/// Queues that are drained at the same time, if there are many.
const QUEUES: usize = 10;
/// Time that a cluster may take until all nodes know a new consumer, and how often that is tried.
const HEARD: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);
/// Messages of one fetch, and messages that are settled at the same time.
pub(super) const FETCH: usize = 500;

/// The raw client on its streams.
#[derive(Debug)]
pub(super) struct Raw {
    conn: Connection,
    context: Context,
    prefix: String,
    replicas: usize,
}

impl Raw {
    pub(super) async fn on(stage: &Stage) -> Result<Self, CliError> {
        Self::over(&stage.raw, stage.raw_prefix(), stage).await
    }

    /// As [`Self::on`], over another connection.
    pub(super) async fn apart(stage: &Stage) -> Result<Self, CliError> {
        let jobs = stage.another_raw().await?;
        Self::over(&jobs, stage.raw_prefix(), stage).await
    }

    /// Over the connection of `jobs`, on the streams of `prefix`.
    pub(super) async fn over(jobs: &Jobs, prefix: String, stage: &Stage) -> Result<Self, CliError> {
        let conn = lease(jobs).await?;
        Ok(Self {
            context: async_nats::jetstream::new(conn.client().clone()),
            conn,
            prefix,
            replicas: usize::from(stage.replicas()),
        })
    }

    /// Subject and headers of a message: an id of its own, for the server's duplicate check.
    fn message(&self, queue: &str) -> (String, HeaderMap) {
        let id = JobId::generate();
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", id.as_str());
        (format!("{}.queue.{queue}.{id}", self.prefix), headers)
    }

    /// One message, acknowledged.
    pub(super) async fn publish(&self, queue: &str, note: &Note) -> Result<(), CliError> {
        let (subject, headers) = self.message(queue);
        let body = note.bytes().into();
        let sent = self.context.publish_with_headers(subject, headers, body);
        let sent = sent.await.map_err(|e| broken("publish", &e))?;
        sent.await.map(drop).map_err(|e| broken("publish", &e))
    }

    /// `count` messages into the queues by turns, up to 512 on their way.
    pub(super) async fn publish_many(&self, queues: &[String], count: u64) -> Result<(), CliError> {
        let mut waiting = VecDeque::with_capacity(WINDOW);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        for queue in queues.iter().cycle().take(count) {
            if waiting.len() == WINDOW
                && let Some(oldest) = waiting.pop_front()
            {
                confirmed(oldest).await?;
            }
            let (subject, headers) = self.message(queue);
            let body = Note::new(0).bytes().into();
            let sent = self.context.publish_with_headers(subject, headers, body);
            waiting.push_back(sent.await.map_err(|e| broken("publish", &e))?);
        }
        for sent in waiting {
            confirmed(sent).await?;
        }
        Ok(())
    }

    /// A durable consumer of `queue`, as NAQ makes it.
    pub(super) async fn consumer(&self, queue: &str) -> Result<PullConsumer, CliError> {
        let stream = format!("{}_jobs", self.prefix);
        let stream = self.context.get_stream(stream).await;
        let stream = stream.map_err(|e| broken("find the stream", &e))?;
        let config = pull::Config {
            durable_name: Some(format!("raw-{queue}")),
            filter_subject: format!("{}.queue.{queue}.*", self.prefix),
            max_ack_pending: 50_000,
            num_replicas: self.replicas,
            ..pull::Config::default()
        };
        let made = stream.create_consumer(config).await;
        let consumer = made.map_err(|e| broken("make the consumer", &e))?;
        self.answered(&consumer).await?;
        Ok(consumer)
    }

    /// Waits until requests reach the consumer: in a cluster the other nodes hear of it a little later.
    async fn answered(&self, consumer: &PullConsumer) -> Result<(), CliError> {
        let deadline = Instant::now() + HEARD;
        loop {
            let asked = consumer.fetch().max_messages(1).messages().await;
            let mut answer = asked.map_err(|e| broken("fetch", &e))?;
            match answer.next().await {
                Some(Err(error)) if Instant::now() > deadline => {
                    return Err(broken("fetch", &*error));
                }
                Some(Err(_)) => tokio::time::sleep(LOOK).await,
                _ => return Ok(()),
            }
        }
    }

    /// fetch(500) and ack, `count` times, until the server has read the last one.
    pub(super) async fn drain_plain(
        &self,
        consumer: &PullConsumer,
        count: u64,
    ) -> Result<(), CliError> {
        let mut done = 0;
        while done < count {
            let batch = consumer.fetch().max_messages(FETCH).messages().await;
            let mut batch = batch.map_err(|e| broken("fetch", &e))?;
            while let Some(message) = batch.next().await {
                let message = message.map_err(|e| broken("fetch", &*e))?;
                message.ack().await.map_err(|e| broken("ack", &*e))?;
                done += 1;
            }
        }
        let read = self.conn.flush_confirmed().await;
        read.map_err(|e| broken("flush", &e))
    }

    /// The loop of a worker that keeps results: publish under the fence, then ack with confirmation; 500 at a time.
    pub(super) async fn drain_result(
        &self,
        consumer: &PullConsumer,
        count: u64,
    ) -> Result<(), CliError> {
        let messages = consumer.stream().max_messages_per_batch(FETCH).messages();
        let messages = messages.await.map_err(|e| broken("pull", &e))?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        messages
            .take(count)
            .map(async |message| {
                let message = message.map_err(|e| broken("pull", &e))?;
                self.settle(&message).await
            })
            .buffer_unordered(FETCH)
            .try_for_each(async |()| Ok(()))
            .await
    }

    /// The same over several queues at the same time, `count` messages in all.
    pub(super) async fn drain_results(
        &self,
        consumers: &[PullConsumer],
        count: u64,
    ) -> Result<(), CliError> {
        let queues = u64::try_from(consumers.len()).unwrap_or(u64::MAX).max(1);
        let each = |consumer| self.drain_result(consumer, count / queues);
        futures::stream::iter(consumers)
            .map(each)
            .buffer_unordered(QUEUES)
            .try_for_each(async |()| Ok(()))
            .await
    }

    async fn settle(&self, message: &Message) -> Result<(), CliError> {
        let id = message.subject.rsplit('.').next().unwrap_or_default();
        let mut fields = HeaderMap::new();
        fields.insert("Nats-Expected-Last-Subject-Sequence", "0");
        fields.insert("Nats-TTL", "604800s");
        fields.insert("Naq-Status", "completed");
        let record = serde_json::json!({
            "v": 1, "id": id, "kind": "bench.noop", "queue": "raw", "status": "completed", "attempt": 1,
            "worker": "naq-worker-host-1234-abcdef", "nonce": 1_234_567_890_123_u64,
            "started_at_ms": 1_763_762_400_123_u64, "finished_at_ms": 1_763_762_400_124_u64, "result": null,
        });
        let body = record.to_string().into();
        let subject = format!("{}.result.{id}", self.prefix);
        let sent = self.context.publish_with_headers(subject, fields, body);
        confirmed(sent.await.map_err(|e| broken("publish", &e))?).await?;
        let Some(reply) = message.reply.clone() else {
            return Ok(());
        };
        let done = self.conn.client().request(reply, "+ACK".into()).await;
        done.map(drop).map_err(|e| broken("ack", &e))
    }

    /// Hands each message of `queue` to `seen`, by an open pull request, and acks it.
    pub(super) async fn deliver(
        &self,
        consumer: &PullConsumer,
        count: u64,
        mut seen: impl FnMut(&Note, Instant),
    ) -> Result<(), CliError> {
        let messages = consumer.stream().max_messages_per_batch(FETCH).messages();
        let mut messages = messages.await.map_err(|e| broken("pull", &e))?;
        for _ in 0..count {
            let Some(message) = messages.next().await else {
                return Ok(());
            };
            let message = message.map_err(|e| broken("pull", &e))?;
            let now = Instant::now();
            if let Ok(note) = serde_json::from_slice(&message.payload) {
                seen(&note, now);
            }
            message.ack().await.map_err(|e| broken("ack", &*e))?;
        }
        Ok(())
    }
}

async fn confirmed(sent: async_nats::jetstream::context::PublishAckFuture) -> Result<(), CliError> {
    sent.await.map(drop).map_err(|e| broken("publish", &e))
}
