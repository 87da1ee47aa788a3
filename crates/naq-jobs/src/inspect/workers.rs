//! The live workers, as they show themselves.

use naq_connection::Connection;

use crate::JobsError;
use crate::server::{Link, page};
use crate::wire::WorkerRecord;

/// Workers that are listed at the most.
const MAX_WORKERS: usize = 10_000;

/// A live worker, as it shows itself.
#[derive(Debug, Clone)]
pub struct WorkerInfo {
    /// What it says about itself.
    pub record: WorkerRecord,
    /// When the server got its last sign of life, RFC 3339.
    pub seen_at: String,
}

/// The live workers, and those whose record has not expired.
pub(crate) async fn workers(conn: &Connection, link: &Link) -> Result<Vec<WorkerInfo>, JobsError> {
    let names = link.names();
    let (stream, filter) = (names.workers_stream(), names.worker_filter());
    let found = page(conn, &stream, &filter, 0, MAX_WORKERS).await?;
    let known = found.messages.into_iter().filter_map(|stored| {
        let record = serde_json::from_slice(&stored.payload).ok()?;
        Some(WorkerInfo {
            record,
            seen_at: stored.time,
        })
    });
    Ok(known.collect())
}
