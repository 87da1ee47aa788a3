//! Listing the subjects of a stream that hold a message.

use std::collections::BTreeMap;

use naq_connection::Connection;
use serde::Deserialize;

use super::api::{ApiError, call, refused};
use crate::{JobsError, JobsErrorKind};

#[derive(Deserialize)]
struct Subjects {
    state: SubjectsState,
    /// Subjects in all, if they come in pages.
    #[serde(default)]
    total: Option<usize>,
}

#[derive(Deserialize)]
struct SubjectsState {
    #[serde(default)]
    subjects: Option<BTreeMap<String, u64>>,
}

/// The subjects under `filter` that hold a message, as the stream's leader has them: as many as it sends at a time.
pub(crate) async fn subjects_at_leader(
    conn: &Connection,
    stream: &str,
    filter: &str,
) -> Result<Vec<String>, JobsError> {
    Ok(subjects_page(conn, stream, filter, 0).await?.0)
}

/// As [`subjects_at_leader`], from the `offset`th on; and how many there are in all.
pub(crate) async fn subjects_page(
    conn: &Connection,
    stream: &str,
    filter: &str,
    offset: usize,
) -> Result<(Vec<String>, usize), JobsError> {
    let ask = serde_json::json!({ "subjects_filter": filter, "offset": offset });
    match call::<Subjects>(conn, &format!("STREAM.INFO.{stream}"), &ask).await? {
        Ok(found) => {
            let subjects = found.state.subjects.unwrap_or_default();
            let subjects: Vec<String> = subjects.into_keys().collect();
            let total = found.total.unwrap_or(subjects.len());
            Ok((subjects, total))
        }
        Err(error) if error.err_code == ApiError::STREAM_NOT_FOUND => {
            let context = format!("list {filter}: its stream is gone");
            Err(JobsError::new(JobsErrorKind::Unavailable, context))
        }
        Err(error) => Err(refused(format!("list {filter}"), error)),
    }
}
