//! Brings back what was kept in the object store, whole or not at all.

use serde_json::value::RawValue;
use tokio::time::Instant;

use super::object::get;
use crate::model::ObjectRef;
use crate::server::{Link, persist};
use crate::wire::Outcome;
use crate::{JobsError, JobsErrorKind};

/// Why there is nothing to be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfetched {
    /// It is not there, or is not what it was.
    #[error("{0}")]
    Gone(String),
    /// The server did not answer; a later try may succeed.
    #[error(transparent)]
    Failed(#[from] JobsError),
}

/// The JSON text that `reference` stands for.
pub(crate) async fn fetch(link: &Link, reference: &ObjectRef) -> Result<Box<RawValue>, Unfetched> {
    let deadline = Instant::now() + link.settings().nats.request_timeout * 6;
    let name = &reference.object;
    let gone = |why: &str| {
        let bucket = link.names().payloads_bucket();
        Unfetched::Gone(format!("the object {name} of the bucket {bucket} {why}"))
    };
    let limit = link.settings().payloads.max_size;
    if reference.size > limit {
        return Err(gone("is larger than `payloads.max_size` of this worker"));
    }
    let bytes = persist(
        link,
        "read a large payload",
        deadline,
        move |conn| async move { get(link, &conn, reference).await },
    )
    .await?;
    let bytes =
        bytes.ok_or_else(|| gone("is missing, or is not what was stored (size, SHA-256)"))?;
    serde_json::from_slice(&bytes).map_err(|_| gone("is no JSON"))
}

/// The outcome with its result, if that is kept apart.
pub(crate) async fn fetch_result(link: &Link, mut outcome: Outcome) -> Result<Outcome, JobsError> {
    let Some(reference) = &outcome.result_ref else {
        return Ok(outcome);
    };
    match fetch(link, reference).await {
        Ok(result) => outcome.result = Some(result),
        Err(Unfetched::Failed(error)) => return Err(error),
        Err(gone) => {
            let context = format!("read the result of job {}", outcome.id);
            return Err(JobsError::new(JobsErrorKind::NotFound, context).because(gone));
        }
    }
    Ok(outcome)
}
