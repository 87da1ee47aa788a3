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
            Self::Open { retry_after } if retry_after.is_zero() => {
                f.write_str("circuit breaker is half open, and its probe under way")
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ConnectionError, ConnectionErrorKind as Kind};

    #[test]
    fn the_error_of_a_call_shows_as_itself() {
        let error = ConnectionError::with_source(Kind::Connect, "a test", "the cause");
        let shown = BreakerError::Inner(error.clone());
        assert_eq!(shown.to_string(), error.to_string());
        assert_eq!(shown.source().unwrap().to_string(), "the cause");
        assert!(shown.is_transient() && !shown.outcome_unknown());
        assert_eq!(*shown.into_inner().unwrap().kind(), Kind::Connect);
    }

    #[test]
    fn a_refusal_says_when_to_come_back_and_is_final_for_a_retry() {
        let refused = |seconds| BreakerError::<ConnectionError>::Open {
            retry_after: Duration::from_secs(seconds),
        };
        let texts = [60, 0].map(|seconds| refused(seconds).to_string());
        assert_eq!(texts[0], "circuit breaker is open for another 60s");
        assert_eq!(
            texts[1],
            "circuit breaker is half open, and its probe under way"
        );
        assert!(!refused(60).is_transient() && !refused(60).outcome_unknown());
    }
}
