//! Removing stored messages.
//!
//! What a consumer gives out is removed one by one on a replicated stream, by its sequence, and neither purged nor rolled up: with either, the
//! node that leads the consumer writes down what it has in memory, agreed or not. Measured: should it lose its lead then,
//! jobs are behind the consumer that nobody was given (`docs/design/0012-faults.md`).

use naq_connection::Connection;
use serde::Deserialize;

use super::api::{call, refused};
use super::stored::next_at_leader;
use crate::JobsError;

#[derive(Deserialize)]
struct Purged {
    #[serde(default)]
    purged: u64,
}

/// Removes all messages on `filter`; says how many there were.
pub(crate) async fn purge(conn: &Connection, stream: &str, filter: &str) -> Result<u64, JobsError> {
    purge_with(conn, stream, &serde_json::json!({ "filter": filter })).await
}

/// Removes the messages on `filter` that come before `sequence`; says how many there were.
pub(crate) async fn purge_before(
    conn: &Connection,
    stream: &str,
    filter: &str,
    sequence: u64,
) -> Result<u64, JobsError> {
    let body = serde_json::json!({ "filter": filter, "seq": sequence });
    purge_with(conn, stream, &body).await
}

async fn purge_with(
    conn: &Connection,
    stream: &str,
    body: &serde_json::Value,
) -> Result<u64, JobsError> {
    call::<Purged>(conn, &format!("STREAM.PURGE.{stream}"), body)
        .await?
        .map(|done| done.purged)
        .map_err(|e| refused(format!("remove messages of the stream {stream}"), e))
}

#[derive(Deserialize)]
struct Deleted {
    #[serde(default)]
    success: bool,
}

/// Removes one message; `false` if it was gone already.
pub(crate) async fn delete_sequence(
    conn: &Connection,
    stream: &str,
    sequence: u64,
) -> Result<bool, JobsError> {
    let body = serde_json::json!({ "seq": sequence, "no_erase": true });
    match call::<Deleted>(conn, &format!("STREAM.MSG.DELETE.{stream}"), &body).await? {
        Ok(done) => Ok(done.success),
        // 10043: no message with that sequence; 10057: the removal failed, also since it has gone at this very moment.
        Err(error) if error.err_code == 10043 || error.code == 404 => Ok(false),
        Err(error) if error.err_code == 10057 && error.description == "no message found" => {
            Ok(false)
        }
        Err(error) => Err(refused(
            format!("remove a message of the stream {stream}"),
            error,
        )),
    }
}

/// Removes the messages on `subject` that were stored before `newest`, which has taken their place.
pub(crate) async fn delete_older(
    conn: &Connection,
    stream: &str,
    subject: &str,
    newest: u64,
) -> Result<(), JobsError> {
    let mut from = 0;
    loop {
        let found = next_at_leader(conn, stream, subject, from + 1).await?;
        let Some(older) = found.filter(|found| found.sequence < newest) else {
            return Ok(());
        };
        from = older.sequence;
        delete_sequence(conn, stream, from).await?;
    }
}
