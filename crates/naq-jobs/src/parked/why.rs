//! Why a job is parked: one token of its subject.

use crate::wire::token;

/// Why a job is parked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Why(String);

impl Why {
    /// Its kind is paused, or nobody knew it.
    pub(crate) fn kind(kind: &str) -> Self {
        Self(format!("kind-{}", token(kind)))
    }

    /// As many jobs of its limit key run as may.
    pub(crate) fn key(key: &str) -> Self {
        Self(format!("key-{}", token(key)))
    }

    /// The token.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}
