//! What a server has in store: asked of the streams themselves.

use naq::Jobs;
use serde_json::{Value, json};

use crate::error::CliError;
use crate::exit_code;

/// How much a server has in store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stock {
    /// Jobs that wait or run.
    pub(super) waiting: u64,
    /// Jobs that are due later, retries included.
    pub(super) scheduled: u64,
    pub(super) outcomes: u64,
    pub(super) dead: u64,
}

impl Stock {
    /// Asks the server; the streams must exist.
    pub(super) async fn of(jobs: &Jobs, prefix: &str) -> Result<Self, CliError> {
        let count = async |stream: &str, subject: &str| {
            let stream = format!("{prefix}_{stream}");
            messages(jobs, &stream, &format!("{prefix}.{subject}")).await
        };
        Ok(Self {
            waiting: count("jobs", "queue.>").await?,
            scheduled: count("jobs", "schedule.>").await?,
            outcomes: count("results", "result.>").await?,
            dead: count("failed_jobs", "failed.>").await?,
        })
    }
}

/// Messages of `stream` on `filter`.
async fn messages(jobs: &Jobs, stream: &str, filter: &str) -> Result<u64, CliError> {
    let failed = || {
        CliError::new(
            exit_code::CONNECTION,
            format!("failed to ask about {stream}"),
        )
    };
    let conn = jobs
        .connections()
        .connection()
        .await
        .map_err(|e| failed().because(&e))?;
    let mut total = 0_u64;
    let mut offset = 0_usize;
    loop {
        let ask = json!({ "subjects_filter": filter, "offset": offset }).to_string();
        let reply = conn
            .request(format!("$JS.API.STREAM.INFO.{stream}"), ask)
            .await
            .map_err(|e| failed().because(&e))?;
        let info: Value =
            serde_json::from_slice(&reply.payload).map_err(|e| failed().because(&e))?;
        let subjects = info.pointer("/state/subjects").and_then(Value::as_object);
        let Some(subjects) = subjects.filter(|subjects| !subjects.is_empty()) else {
            return Ok(total);
        };
        total += subjects.values().filter_map(Value::as_u64).sum::<u64>();
        offset += subjects.len();
    }
}
