//! What a caller of a breaker is told.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::retry::Retryable;

/// Why a call through a breaker failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BreakerError<E> {
    /// The call was refused and not made.
    Open {
        /// When a call will be let through as a probe; zero while a probe is under way.
        retry_after: Duration,
    },
    /// The call was made and failed: its own error, unchanged.
    Inner(E),
}

impl<E> BreakerError<E> {
    /// The error of the call, if it was made.
    pub fn into_inner(self) -> Option<E> {
        match self {
            Self::Open { .. } => None,
            Self::Inner(error) => Some(error),
        }
    }
}

impl<E: fmt::Display> fmt::Display for BreakerError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { retry_after } => {
                write!(f, "circuit breaker is open for another {retry_after:?}")
            }
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: StdError> StdError for BreakerError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Open { .. } => None,
            Self::Inner(error) => error.source(),
        }
    }
}

/// A refusal is final for a retry: a breaker is there to answer at once.
impl<E: Retryable> Retryable for BreakerError<E> {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Inner(error) if error.is_transient())
    }

    fn outcome_unknown(&self) -> bool {
        matches!(self, Self::Inner(error) if error.outcome_unknown())
    }
}
