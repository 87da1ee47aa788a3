//! The id of a job.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::token::is_token;

/// Longest id that is accepted, in bytes.
const MAX_LEN: usize = 64;

/// The id of a job: 1 to 64 of `A-Z a-z 0-9 _ -`, so that it fits into a NATS subject.
///
/// An id names one job for as long as its outcome is kept: enqueuing the same id again inside the server's
/// duplicate window (2 minutes) has no effect, and later only one outcome is ever recorded for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(Arc<str>);

/// The text is no [`JobId`]. A retry does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid job id {0:?}: an id is 1 to 64 of A-Z a-z 0-9 _ -")]
pub struct InvalidJobId(String);

impl JobId {
    /// A new id: a ULID, so ids sort by the time of their making, to the millisecond.
    pub fn generate() -> Self {
        let mut text = [0; ulid::ULID_LEN];
        let text = ulid::Ulid::generate().array_to_str(&mut text);
        Self(Arc::from(&*text))
    }

    /// Checks and wraps `text`.
    ///
    /// # Errors
    /// [`InvalidJobId`] if it is empty, too long, or has other characters.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidJobId> {
        let text = text.into();
        Self::read(&text).ok_or_else(|| InvalidJobId(text.chars().take(80).collect()))
    }

    /// The id, if `text` is one.
    pub(crate) fn read(text: &str) -> Option<Self> {
        is_token(text, MAX_LEN).then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for JobId {
    type Err = InvalidJobId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_ids_are_valid_and_differ() {
        let (a, b) = (JobId::generate(), JobId::generate());
        assert_ne!(a, b);
        assert_eq!(JobId::new(a.as_str()).unwrap(), a);
    }

    #[test]
    fn texts_that_would_break_a_subject_are_refused() {
        for bad in ["", "a.b", "a b", "a*", ">", "a\n", "é", &"x".repeat(65)] {
            assert!(JobId::new(bad).is_err(), "{bad:?}");
        }
    }
}
