//! The headers of an outcome: its fence, its status, how long it is kept.

use std::time::Duration;

use crate::wire::{Outcome, headers};
use async_nats::HeaderMap;

/// Longest life of an outcome, in seconds: ten years. The server refuses what does not fit its clock.
const MAX_TTL: u64 = 10 * 365 * 24 * 3600;

/// The headers under which an outcome replaces the one of sequence `fence` (0: none may exist).
pub(crate) fn outcome_headers(outcome: &Outcome, ttl: Duration, fence: u64) -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.insert("Nats-Expected-Last-Subject-Sequence", fence.to_string());
    let ttl = ttl.as_secs().clamp(1, MAX_TTL);
    fields.insert("Nats-TTL", format!("{ttl}s"));
    fields.insert(headers::STATUS, outcome.status.as_str());
    fields
}
