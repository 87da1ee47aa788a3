//! The fence of an outcome: its headers, and what the server's refusal says.

use std::time::Duration;

use async_nats::HeaderMap;
use naq_connection::{ConnectionError, ConnectionErrorKind};

use crate::wire::{Outcome, headers};

/// The server's codes for "wrong last sequence".
const WRONG_SEQUENCE: [u64; 2] = [10071, 10164];

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

/// If this is the refusal of the fence: the sequence that is there instead.
pub(crate) fn wrong_sequence(error: &ConnectionError) -> Option<u64> {
    let ConnectionErrorKind::Api {
        err_code,
        description,
        ..
    } = error.kind()
    else {
        return None;
    };
    WRONG_SEQUENCE.contains(err_code).then(|| {
        description
            .rsplit(' ')
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0)
    })
}
