//! Several messages of one stream, stored all or none (ADR-50).

use async_nats::HeaderMap;
use bytes::Bytes;
use naq_connection::{Connection, ConnectionErrorKind};

use super::fence::wrong_sequence;
use crate::{JobsError, JobsErrorKind};

/// Messages in one batch at the most.
pub(crate) const MAX_BATCH: usize = 1000;

/// The server's code for a message id that it knows already.
const DUPLICATE: u64 = 10201;

/// The server's codes for a batch of which it lacks the beginning, as when the connection was lost in the middle, and for
/// too many that are open. Nothing is stored; the same batch may be sent again.
const AGAIN: [u64; 2] = [10176, 10210];

/// One message of a batch.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) subject: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BatchEnd {
    /// All of it is stored.
    Stored,
    /// Nothing is: another message came first on a subject that was to be unchanged.
    Conflict,
    /// Nothing is: a message id is known already.
    Duplicate,
}

/// Stores `writes` together. The last one is answered, the others are not.
///
/// # Errors
/// Transient if the connection was lost on the way, also between two messages of the batch.
pub(crate) async fn store_batch(
    conn: &Connection,
    context: &str,
    writes: Vec<Write>,
) -> Result<BatchEnd, JobsError> {
    Ok(store_batch_at(conn, context, writes).await?.0)
}

/// As [`store_batch`], with the sequence of the last message, 0 unless it is stored.
pub(crate) async fn store_batch_at(
    conn: &Connection,
    context: &str,
    mut writes: Vec<Write>,
) -> Result<(BatchEnd, u64), JobsError> {
    let Some(mut last) = writes.pop() else {
        return Ok((BatchEnd::Stored, 0));
    };
    if !writes.is_empty() {
        let id = ulid::Ulid::generate().to_string();
        let count = writes.len() + 1;
        for (index, mut write) in writes.into_iter().enumerate() {
            mark(&mut write.headers, &id, index + 1);
            conn.publish_with_headers(write.subject, write.headers, write.body)
                .await
                .map_err(|e| JobsError::connection(context, e))?;
        }
        mark(&mut last.headers, &id, count);
        last.headers.insert("Nats-Batch-Commit", "1");
    }
    match conn
        .publish_acked(last.subject, last.headers, last.body)
        .await
    {
        Ok(ack) => Ok((BatchEnd::Stored, ack.sequence)),
        Err(error) => match error.kind() {
            _ if wrong_sequence(&error).is_some() => Ok((BatchEnd::Conflict, 0)),
            ConnectionErrorKind::Api { err_code, .. } if *err_code == DUPLICATE => {
                Ok((BatchEnd::Duplicate, 0))
            }
            ConnectionErrorKind::Api { err_code, .. } if AGAIN.contains(err_code) => {
                Err(JobsError::new(JobsErrorKind::Connection, context).because(error))
            }
            _ => Err(JobsError::connection(context, error)),
        },
    }
}

fn mark(headers: &mut HeaderMap, id: &str, sequence: usize) {
    headers.insert("Nats-Batch-Id", id);
    headers.insert("Nats-Batch-Sequence", sequence.to_string());
}
