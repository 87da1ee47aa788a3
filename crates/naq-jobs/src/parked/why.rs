//! Why a job is parked: one token of its subject.

use crate::model::JobId;
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

    /// As many jobs of its kind run as may.
    pub(crate) fn kind_limit(kind: &str) -> Self {
        Self(format!("most-{}", token(kind)))
    }

    /// Whether the token of a subject means [`Self::kind_limit`].
    pub(crate) fn is_kind_limit(token: &str) -> bool {
        token.starts_with("most-")
    }

    /// Whether the token of a subject means a limit: [`Self::key`] or [`Self::kind_limit`].
    pub(crate) fn is_limit(token: &str) -> bool {
        token.starts_with("key-") || Self::is_kind_limit(token)
    }

    /// It does not start before this other job has ended.
    pub(crate) fn after(other: &JobId) -> Self {
        Self(format!("after-{}", token(other.as_str())))
    }

    /// Whether the token of a subject means [`Self::after`].
    pub(crate) fn is_after(token: &str) -> bool {
        token.starts_with("after-")
    }

    /// The token.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}
