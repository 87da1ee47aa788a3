//! Messages that are stored only if nothing newer is there, and their refusal.

use async_nats::HeaderMap;
use naq_connection::{ConnectionError, ConnectionErrorKind};

const NEWEST: &str = "Nats-Expected-Last-Subject-Sequence";
const NEWEST_OF: &str = "Nats-Expected-Last-Subject-Sequence-Subject";

/// The server's codes for "wrong last sequence".
const WRONG_SEQUENCE: [u64; 2] = [10071, 10164];

/// Lets the server store the message only if `sequence` is the newest on its subject; 0: if there is none.
pub(crate) fn expect_newest(fields: &mut HeaderMap, sequence: u64) {
    fields.insert(NEWEST, sequence.to_string());
}

/// As [`expect_newest`], on all subjects under `filter`. Servers of a cluster compare what is on its way by this text.
pub(crate) fn expect_newest_of(fields: &mut HeaderMap, filter: &str, sequence: u64) {
    expect_newest(fields, sequence);
    fields.insert(NEWEST_OF, filter);
}

/// If this is such a refusal: the sequence that is there instead, 0 if nothing is.
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
