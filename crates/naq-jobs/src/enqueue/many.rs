//! Enqueues many jobs in their order, pipelined: the next is sent before the last one is confirmed.

use std::collections::BTreeMap;

use async_nats::Message;
use futures::FutureExt;
use naq_connection::{Connection, Phase, State, Subscription, read_acknowledgement};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::one::{Landed, deliver, prepare_large};
use super::prepared::{Prepared, check_size, prepare};
use crate::JobsError;
use crate::model::Job;
use crate::payload::is_plain;
use crate::server::Link;
use crate::traces::Sending;

/// Jobs that are on their way at the same time, and their bytes.
const WINDOW: (usize, usize) = (512, 8 * 1024 * 1024);

type Answer = Result<Landed, JobsError>;

/// One answer per job, in the order of the jobs; a refused job does not stop the others. The server stores them in
/// that order, unless one has to be sent again.
pub(crate) async fn enqueue_many<R>(
    link: &Link,
    jobs: impl IntoIterator<Item = Job<R>>,
) -> Vec<Answer> {
    let mut batch = Batch {
        link,
        answers: Vec::new(),
        out: BTreeMap::new(),
        bytes: 0,
        pipe: None,
    };
    let sending = Sending::many();
    for mut job in jobs {
        sending.stamp(&mut job.headers);
        let job = if is_plain(link, &job.payload, job.compression) {
            prepare(link, job)
        } else {
            Box::pin(prepare_large(link, job)).await
        };
        batch.add(job).await;
    }
    let answers = batch.finish().await;
    let refused = answers.iter().find_map(|answer| answer.as_ref().err());
    sending.landed_many(answers.len(), refused);
    answers
}

struct Batch<'a> {
    link: &'a Link,
    /// `None` as long as the answer is not known.
    answers: Vec<Option<Answer>>,
    /// Sent, not confirmed.
    out: BTreeMap<usize, Prepared>,
    /// Bytes of their bodies.
    bytes: usize,
    pipe: Option<Pipe>,
}

/// One inbox for all confirmations, over one connection epoch.
struct Pipe {
    conn: Connection,
    inbox: String,
    replies: Subscription,
    states: watch::Receiver<State>,
    epoch: u64,
}

impl Batch<'_> {
    async fn add(&mut self, mut job: Result<Prepared, JobsError>) {
        let index = self.answers.len();
        if let Ok(prepared) = &job
            && let Err(error) = prepared.use_level(self.link).await
        {
            job = Err(error);
        }
        match job {
            Err(error) => self.answers.push(Some(Err(error))),
            // More than one message, or a look at what is there.
            Ok(job) if job.unique.is_some() => {
                self.answers.push(Some(deliver(self.link, job).await));
            }
            Ok(job) => {
                self.answers.push(None);
                while self.is_full() {
                    self.confirm_one().await;
                }
                self.send(index, job).await;
            }
        }
    }

    fn is_full(&self) -> bool {
        self.out.len() >= WINDOW.0 || self.bytes >= WINDOW.1
    }

    async fn send(&mut self, index: usize, job: Prepared) {
        if self.pipe.is_none() {
            self.pipe = Pipe::open(self.link).await.ok();
        }
        let sent = match &self.pipe {
            None => false,
            Some(pipe) => match check_size(&pipe.conn, &job) {
                Ok(()) => pipe.send(index, &job).await,
                Err(error) => {
                    self.answers[index] = Some(Err(error));
                    return;
                }
            },
        };
        self.bytes += job.body.len();
        self.out.insert(index, job);
        if !sent {
            self.send_again().await;
        }
    }

    /// Waits for one confirmation.
    async fn confirm_one(&mut self) {
        let reply = match &mut self.pipe {
            Some(pipe) => pipe.reply(self.link).await,
            None => None,
        };
        let Some((index, reply)) = reply else {
            return self.send_again().await;
        };
        let Some(job) = self.out.remove(&index) else {
            return;
        };
        self.bytes -= job.body.len();
        let answer = match read_acknowledgement(&reply) {
            Ok(_) => {
                job.tell(self.link);
                Ok(Landed::new(job.id))
            }
            // One at a time knows better what to do.
            Err(error) if error.is_transient() => deliver(self.link, job).await,
            Err(error) => Err(JobsError::connection("enqueue a job", error)),
        };
        self.answers[index] = Some(answer);
    }

    /// The connection was lost: whatever is not confirmed is sent again, with the message ids that it had.
    async fn send_again(&mut self) {
        self.pipe = None;
        self.bytes = 0;
        for (index, job) in std::mem::take(&mut self.out) {
            self.answers[index] = Some(deliver(self.link, job).await);
        }
    }

    async fn finish(mut self) -> Vec<Answer> {
        while !self.out.is_empty() {
            self.confirm_one().await;
        }
        self.answers.into_iter().flatten().collect()
    }
}

impl Pipe {
    async fn open(link: &Link) -> Result<Self, JobsError> {
        let context = "enqueue jobs";
        let conn = link.lease(context).await?;
        let states = conn.states();
        let epoch = states.borrow().epoch;
        let inbox = conn.new_inbox();
        let replies = conn.subscribe(format!("{inbox}.*")).await;
        let replies = replies.map_err(|e| JobsError::connection(context, e))?;
        Ok(Self {
            conn,
            inbox,
            replies,
            states,
            epoch,
        })
    }

    async fn send(&self, index: usize, job: &Prepared) -> bool {
        let reply = format!("{}.{index}", self.inbox);
        let (subject, headers) = (job.subject.clone(), job.headers());
        let sent = self
            .conn
            .publish_with_reply(subject, reply, headers, job.body.clone());
        sent.await.is_ok()
    }

    /// The next confirmation and whose it is; `None` when none can be expected any more.
    async fn reply(&mut self, link: &Link) -> Option<(usize, Message)> {
        let deadline = Instant::now() + link.settings().nats.request_timeout;
        loop {
            // Confirmations come in crowds; only for the first of one is there something to wait for.
            if let Some(Some(reply)) = self.replies.next().now_or_never()
                && let Some(index) = index_of(&reply)
            {
                return Some((index, reply));
            }
            let waiting = async {
                tokio::select! {
                    biased;
                    reply = self.replies.next() => reply,
                    () = lost(&mut self.states, self.epoch) => None,
                }
            };
            let reply = timeout_at(deadline, waiting).await.ok()??;
            if let Some(index) = index_of(&reply) {
                return Some((index, reply));
            }
        }
    }
}

/// Whose confirmation it is.
fn index_of(reply: &Message) -> Option<usize> {
    reply.subject.rsplit('.').next()?.parse().ok()
}

/// Completes when the epoch is over.
async fn lost(states: &mut watch::Receiver<State>, epoch: u64) {
    let over = |state: &State| state.epoch != epoch || state.phase != Phase::Connected;
    // An error means that the client has ended, which is no less over. The guard must not outlive this line.
    drop(states.wait_for(over).await.map(|_| ()));
}
