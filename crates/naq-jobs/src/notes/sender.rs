//! Sends what handlers have said, many at a time. A note that cannot be sent is given up; no job fails for it.

use std::time::Duration;

use async_nats::HeaderMap;
use tokio_util::sync::CancellationToken;

use super::news::Said;
use super::outbox::{Outbox, Waiting};
use crate::events::{EventType, Fact, NONE};
use crate::server::{Link, repair_streams};
use crate::{JobsError, JobsErrorKind};

/// Time between two batches, unless a job is about to end.
const PAUSE: Duration = Duration::from_millis(100);

/// Tries of a batch.
const TRIES: u32 = 3;

/// Bytes that a note leaves free below `max_payload` for its headers.
const RESERVE: usize = 1024;

impl Outbox {
    /// Sends until `stop`, and then what is there.
    pub(crate) async fn keep(&self, link: &Link, worker: &str, stop: &CancellationToken) {
        let nonce = fastrand::u64(..);
        loop {
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.woken() => {}
            }
            let (batch, newest) = self.take();
            if !batch.is_empty() {
                deliver(link, worker, &batch, nonce).await;
            }
            self.settle(newest);
            if stop.is_cancelled() {
                return;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.hurried() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}

async fn deliver(link: &Link, worker: &str, batch: &[Waiting], nonce: u64) {
    for _ in 0..TRIES {
        match send(link, batch, nonce).await {
            Ok(()) => {
                return batch
                    .iter()
                    .for_each(|note| tell_progress(link, worker, note));
            }
            Err(error) => {
                tracing::debug!(%error, notes = batch.len(), "notes are sent again");
                if error.kind() == JobsErrorKind::Unavailable {
                    drop(repair_streams(link).await);
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    tracing::warn!(
        notes = batch.len(),
        "notes of jobs are given up: the server does not take them"
    );
}

/// Progress is an event, too; at most one for each job and batch.
fn tell_progress(link: &Link, worker: &str, note: &Waiting) {
    if let Said::Progress(progress) = &note.said {
        let mut fact = Fact::of(EventType::Progress, NONE, NONE, note.id.as_str());
        if let Some((queue, kind)) = &note.place {
            (fact.queue, fact.kind) = (queue.as_str(), kind.as_str());
        }
        fact.worker = worker;
        fact.at_ms = progress.at_ms;
        fact.attempt = Some(progress.attempt);
        fact.message = progress.message.as_deref();
        let (done, total) = (progress.done, progress.total);
        fact.details = Some(serde_json::json!({ "done": done, "total": total }));
        link.events().tell(&fact);
    }
}

/// One connection, one stream: the acknowledgement of the last one says that all are stored.
async fn send(link: &Link, batch: &[Waiting], nonce: u64) -> Result<(), JobsError> {
    let context = "send the notes of jobs";
    let failed = |e| JobsError::connection(context, e);
    let conn = link.lease(context).await?;
    let limit = conn.max_payload().saturating_sub(RESERVE);
    let ttl = link.settings().results.notes_ttl.as_secs().max(1);
    let mut notes = Vec::with_capacity(batch.len());
    for waiting in batch {
        let body = waiting.said.body();
        if body.len() <= limit {
            notes.push((waiting, body));
        }
    }
    let last = notes.len().saturating_sub(1);
    for (index, (waiting, body)) in notes.into_iter().enumerate() {
        let mut fields = HeaderMap::new();
        fields.insert("Nats-TTL", format!("{ttl}s"));
        if matches!(waiting.said, Said::Progress(_)) {
            // Only the last one is of interest.
            fields.insert("Nats-Rollup", "sub");
        } else {
            fields.insert("Nats-Msg-Id", format!("{nonce:x}-{}", waiting.number));
        }
        let subject = link.names().note(&waiting.id, waiting.said.kind());
        if index < last {
            conn.publish_with_headers(subject, fields, body)
                .await
                .map_err(failed)?;
        } else {
            conn.publish_acked(subject, fields, body)
                .await
                .map_err(failed)?;
        }
    }
    Ok(())
}
