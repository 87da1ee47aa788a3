//! The headers of an outcome and of a claim: the fence, the status, how long it is kept.

use std::time::Duration;

use crate::wire::{Outcome, headers};
use async_nats::HeaderMap;

/// Longest life of an outcome, in seconds: ten years. The server refuses what does not fit its clock.
const MAX_TTL: u64 = 10 * 365 * 24 * 3600;

/// The subjects among which the sequence is the newest.
const NEWEST_OF: &str = "Nats-Expected-Last-Subject-Sequence-Subject";

/// The headers under which an outcome replaces the one of sequence `fence` (0: none may exist).
pub(crate) fn outcome_headers(outcome: &Outcome, ttl: Duration, fence: u64) -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.insert("Nats-Expected-Last-Subject-Sequence", fence.to_string());
    let ttl = ttl.as_secs().clamp(1, MAX_TTL);
    fields.insert("Nats-TTL", format!("{ttl}s"));
    fields.insert(headers::STATUS, outcome.status.as_str());
    fields
}

/// As [`outcome_headers`], for a strict job: `fence` is the sequence of the newest of its claims and outcomes.
pub(crate) fn strict_headers(
    outcome: &Outcome,
    ttl: Duration,
    fence: u64,
    claim_or_result: &str,
) -> HeaderMap {
    let mut fields = outcome_headers(outcome, ttl, fence);
    fields.insert(NEWEST_OF, claim_or_result);
    fields
}

/// The headers of a claim that follows on `fence`.
pub(crate) fn claim_headers(ttl: Duration, fence: u64, claim_or_result: &str) -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.insert("Nats-Expected-Last-Subject-Sequence", fence.to_string());
    fields.insert(NEWEST_OF, claim_or_result);
    fields.insert("Nats-TTL", format!("{}s", ttl.as_secs().clamp(1, MAX_TTL)));
    fields
}
