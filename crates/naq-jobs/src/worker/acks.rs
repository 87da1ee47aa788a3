//! Acknowledges jobs whose end is written down, many with one confirmation.
//!
//! An acknowledgement with an answer of its own costs the server as much again. Here a batch of them is sent, and one
//! round trip proves that the server has read them all; while that is under way the next batch gathers. If the
//! connection is lost in between, the batch is sent again.

use std::time::Duration;

use async_nats::Subject;
use naq_connection::ConnectionError;
use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::holds::Hold;
use super::tally::{Left, Tally};
use crate::failpoint;
use crate::server::Link;

/// Jobs that may wait for their acknowledgement, and the most that are sent at a time.
const LIMITS: (usize, usize) = (2048, 512);

/// Wait before a batch is sent again.
const PAUSE: Duration = Duration::from_millis(50);

/// The way to be acknowledged.
#[derive(Debug)]
pub(super) struct Acks {
    sender: mpsc::Sender<Settled>,
    /// Taken by the task that sends them.
    receiver: Mutex<mpsc::Receiver<Settled>>,
}

/// A job whose end is written down.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) hold: Hold,
    pub(super) left: Left,
    /// Whether something is stored that refuses a second end. Without it, a late acknowledgement is not sent.
    pub(super) is_recorded: bool,
    /// After it the job is left to be delivered again.
    pub(super) deadline: Instant,
}

impl Acks {
    pub(super) fn new() -> Self {
        let (sender, receiver) = mpsc::channel(LIMITS.0);
        Self {
            sender,
            receiver: Mutex::new(receiver),
        }
    }

    /// Waits for a place; the acknowledgement follows by itself.
    pub(super) async fn give(&self, settled: Settled) {
        // The receiver lives in `self`, so this cannot fail.
        drop(self.sender.send(settled).await);
    }

    /// Sends them until `stop`, and then those that are there.
    pub(super) async fn keep(&self, link: &Link, tally: &Tally, stop: &CancellationToken) {
        let mut receiver = self.receiver.lock().await;
        let mut batch = Vec::with_capacity(LIMITS.1);
        loop {
            tokio::select! {
                biased;
                _ = receiver.recv_many(&mut batch, LIMITS.1) => {}
                () = stop.cancelled() => return,
            }
            acknowledge(link, &mut batch, tally).await;
        }
    }
}

/// Acknowledges a batch; what is in it is decided when this returns.
async fn acknowledge(link: &Link, batch: &mut Vec<Settled>, tally: &Tally) {
    while !batch.is_empty() {
        drop_if(batch, tally, Left::Abandoned, |job| {
            !job.is_recorded && job.hold.has_lapsed()
        });
        match send(link, batch).await {
            // Delivered again meanwhile: that delivery is the one to be answered.
            Ok(sent) => {
                let mut sent = sent.into_iter();
                drop_if(batch, tally, None, |job| {
                    sent.next() == Some(job.hold.reply())
                });
            }
            Err(error) => {
                tracing::debug!(%error, jobs = batch.len(), "acknowledgements are sent again");
                let now = Instant::now();
                drop_if(batch, tally, Left::Abandoned, |job| now >= job.deadline);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Sends a batch and waits until the server has read it; says where each was sent to.
async fn send(link: &Link, batch: &[Settled]) -> Result<Vec<Option<Subject>>, ConnectionError> {
    let conn = link.service().connection().await?;
    let replies: Vec<_> = batch.iter().map(|job| job.hold.reply()).collect();
    for reply in replies.iter().flatten() {
        conn.publish(reply.clone(), "+ACK").await?;
    }
    failpoint::reach("acks-sent");
    conn.flush_confirmed().await?;
    failpoint::reach("acks-confirmed");
    Ok(replies)
}

/// Takes jobs out of the batch that are over, and counts them: as `left`, or as what they say themselves.
fn drop_if(
    batch: &mut Vec<Settled>,
    tally: &Tally,
    left: impl Into<Option<Left>>,
    mut is_over: impl FnMut(&Settled) -> bool,
) {
    let left = left.into();
    batch.retain(|job| {
        let is_over = is_over(job);
        if is_over {
            tally.count(left.unwrap_or(job.left));
        }
        !is_over
    });
}
