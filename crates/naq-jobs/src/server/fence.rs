//! The refusal of a message that was to be stored only if nothing newer is there.

use naq_connection::{ConnectionError, ConnectionErrorKind};

/// The server's codes for "wrong last sequence".
const WRONG_SEQUENCE: [u64; 2] = [10071, 10164];

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
