//! Dead letters: the original body and headers, plus headers that say why.

use async_nats::HeaderMap;

use super::header::{ATTEMPT, DEAD_AT, ERROR, KIND, QUEUE, REASON, WORKER, carried, set, text};
use super::outcome::JobFailure;

/// What is said about a dead letter.
#[derive(Debug)]
pub(crate) struct DeadHeaders<'a> {
    pub(crate) failure: &'a JobFailure,
    pub(crate) kind: Option<&'a str>,
    pub(crate) queue: &'a str,
    pub(crate) attempt: u32,
    pub(crate) worker: &'a str,
    pub(crate) at_ms: u64,
}

/// The headers of the dead letter of a message with the headers `original`.
pub(crate) fn dead_headers(original: Option<&HeaderMap>, dead: &DeadHeaders<'_>) -> HeaderMap {
    let mut headers = carried(original);
    set(&mut headers, REASON, dead.failure.reason.as_str());
    set(&mut headers, ERROR, &dead.failure.message);
    set(&mut headers, QUEUE, dead.queue);
    set(&mut headers, ATTEMPT, &dead.attempt.to_string());
    set(&mut headers, WORKER, dead.worker);
    set(&mut headers, DEAD_AT, &dead.at_ms.to_string());
    if let Some(kind) = dead.kind {
        set(&mut headers, KIND, kind);
    }
    headers
}

impl DeadHeaders<'_> {
    /// Reads reason, error, kind and time of a stored dead letter.
    pub(crate) fn read(headers: Option<&HeaderMap>) -> (String, String, Option<String>, u32, u64) {
        let owned = |name| text(headers, name).map(str::to_owned);
        (
            owned(REASON).unwrap_or_else(|| "unknown".to_owned()),
            owned(ERROR).unwrap_or_default(),
            owned(KIND),
            text(headers, ATTEMPT)
                .and_then(|t| t.parse().ok())
                .unwrap_or(0),
            text(headers, DEAD_AT)
                .and_then(|t| t.parse().ok())
                .unwrap_or(0),
        )
    }
}
