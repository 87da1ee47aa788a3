//! The headers of an outcome and of a claim: the fence, the status, how long it is kept.

use std::time::Duration;

use async_nats::HeaderMap;

use crate::server::{expect_newest, expect_newest_of};
use crate::wire::{Outcome, headers};

/// Longest life of an outcome, in seconds: ten years. The server refuses what does not fit its clock.
const MAX_TTL: u64 = 10 * 365 * 24 * 3600;

/// The headers under which an outcome replaces the one of sequence `fence` (0: none may exist).
pub(crate) fn outcome_headers(outcome: &Outcome, ttl: Duration, fence: u64) -> HeaderMap {
    let mut fields = HeaderMap::new();
    expect_newest(&mut fields, fence);
    fields.insert("Nats-TTL", life(ttl));
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
    let mut fields = claim_headers(ttl, fence, claim_or_result);
    fields.insert(headers::STATUS, outcome.status.as_str());
    fields
}

/// The headers of a claim that follows on `fence`.
pub(crate) fn claim_headers(ttl: Duration, fence: u64, claim_or_result: &str) -> HeaderMap {
    let mut fields = HeaderMap::new();
    expect_newest_of(&mut fields, claim_or_result, fence);
    fields.insert("Nats-TTL", life(ttl));
    fields
}

/// How long it is kept, as the server reads it.
fn life(ttl: Duration) -> String {
    format!("{}s", ttl.as_secs().clamp(1, MAX_TTL))
}
