//! Where unique jobs lie: one tree of subjects for each key.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};

use crate::model::{JobId, Priority, QueueName};

/// Longest key, in bytes.
const MAX_KEY: usize = 256;

/// A place in the tree of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// Waits or runs, with high priority.
    High,
    /// Waits or runs.
    Normal,
    /// Waits or runs, with low priority.
    Low,
    /// Is due later, or waits for a retry.
    Later,
    /// The marker of a window.
    Window,
}

/// A key as a part of a subject: 22 characters, the first 16 bytes of SHA-256 of its text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct KeyHash(String);

/// The subject of a unique job, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UniqueSubject {
    pub(crate) queue: QueueName,
    pub(crate) place: Place,
    pub(crate) key: KeyHash,
    pub(crate) id: JobId,
}

/// The text is no key. A retry does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a key is 1 to {MAX_KEY} bytes without control characters, this one has {0} bytes")]
pub(crate) struct InvalidKey(usize);

impl Place {
    /// Where a job of this priority waits.
    pub(crate) fn of(priority: Priority) -> Self {
        match priority {
            Priority::High => Self::High,
            Priority::Normal => Self::Normal,
            Priority::Low => Self::Low,
        }
    }

    /// The priority of the jobs that wait there.
    pub(crate) fn priority(self) -> Option<Priority> {
        match self {
            Self::High => Some(Priority::High),
            Self::Normal => Some(Priority::Normal),
            Self::Low => Some(Priority::Low),
            Self::Later | Self::Window => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
            Self::Later => "later",
            Self::Window => "window",
        }
    }

    fn read(word: &str) -> Option<Self> {
        [
            Self::High,
            Self::Normal,
            Self::Low,
            Self::Later,
            Self::Window,
        ]
        .into_iter()
        .find(|place| place.as_str() == word)
    }
}

impl KeyHash {
    /// The hash of a key's text.
    pub(crate) fn of(text: &str) -> Result<Self, InvalidKey> {
        if text.is_empty() || text.len() > MAX_KEY || text.chars().any(char::is_control) {
            return Err(InvalidKey(text.len()));
        }
        let hash = digest(&SHA256, text.as_bytes());
        Ok(Self(URL_SAFE_NO_PAD.encode(hash.as_ref().split_at(16).0)))
    }
}

impl UniqueSubject {
    /// Reads `<prefix>.unique.<queue>.<place>.<key>.<id>`; `None` if it is something else.
    pub(crate) fn read(subject: &str) -> Option<Self> {
        let mut parts = subject.rsplitn(6, '.');
        let (id, key, place) = (parts.next()?, parts.next()?, parts.next()?);
        let (queue, tree) = (parts.next()?, parts.next()?);
        if tree != "unique" {
            return None;
        }
        Some(Self {
            queue: QueueName::new(queue).ok()?,
            place: Place::read(place)?,
            key: KeyHash(key.to_owned()),
            id: JobId::new(id).ok()?,
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Names;

    #[test]
    fn a_key_has_the_hash_of_the_specification() {
        assert_eq!(
            KeyHash::of("invoice-17").unwrap().to_string(),
            "d8WHOiyAlCO-6rOnZbCC3w"
        );
        assert!(KeyHash::of(&"x".repeat(256)).is_ok());
        for bad in ["", "a\nb", &"x".repeat(257)] {
            assert!(KeyHash::of(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_subject_of_a_unique_job_is_read_back_and_no_other() {
        let unique = UniqueSubject {
            queue: QueueName::new("unique").unwrap(),
            place: Place::Later,
            key: KeyHash::of("a").unwrap(),
            id: JobId::new("a-1").unwrap(),
        };
        let subject = Names::new("unique").unique(&unique);
        assert_eq!(UniqueSubject::read(&subject), Some(unique));
        for other in [
            "naq.queue.unique.a-1",
            "unique.queue.mail.a-1",
            "naq.unique.mail.elsewhere.key.id",
            "naq.unique.mail.later.id",
        ] {
            assert_eq!(UniqueSubject::read(other), None, "{other}");
        }
    }
}
