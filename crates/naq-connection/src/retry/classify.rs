//! Which errors are worth another attempt.

use std::error::Error as StdError;
use std::fmt;

use crate::error::ConnectionError;

/// What a retry must know of an error.
///
/// A boxed error is retried if it is a [`ConnectionError`], or has one among its causes, that would
/// be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which failures are worth another attempt",
    note = "implement `naq_connection::Retryable` for it, or decide by `when`"
)]
pub trait Retryable {
    /// Whether the cause can pass by itself.
    fn is_transient(&self) -> bool;

    /// Whether the call may have had its effect although it failed.
    fn outcome_unknown(&self) -> bool {
        false
    }
}

impl Retryable for ConnectionError {
    fn is_transient(&self) -> bool {
        Self::is_transient(self)
    }

    fn outcome_unknown(&self) -> bool {
        Self::outcome_unknown(self)
    }
}

impl Retryable for Box<dyn StdError + Send + Sync> {
    fn is_transient(&self) -> bool {
        of_connection(&**self).is_some_and(ConnectionError::is_transient)
    }

    fn outcome_unknown(&self) -> bool {
        of_connection(&**self).is_some_and(ConnectionError::outcome_unknown)
    }
}

/// The first error of this crate among the causes, the error itself included.
fn of_connection<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a ConnectionError> {
    let mut cause: Option<&'a (dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// A decision on errors of type `E`: [`Transient`] or [`When`].
pub trait Classify<E> {
    /// Whether the call is to be made again.
    fn again(&self, error: &E) -> bool;
}

impl<E, C: Classify<E>> Classify<E> for &C {
    fn again(&self, error: &E) -> bool {
        (**self).again(error)
    }
}

/// Asks the error itself; what may have had an effect is repeated only on request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Transient {
    pub(super) at_least_once: bool,
}

impl<E: Retryable> Classify<E> for Transient {
    fn again(&self, error: &E) -> bool {
        error.is_transient() && (self.at_least_once || !error.outcome_unknown())
    }
}

/// Asks a function of the caller's.
#[derive(Clone, Copy)]
pub struct When<F>(pub(super) F);

impl<E, F: Fn(&E) -> bool> Classify<E> for When<F> {
    fn again(&self, error: &E) -> bool {
        (self.0)(error)
    }
}

impl<F> fmt::Debug for When<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("When(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ConnectionErrorKind as Kind, Operation};

    fn again(at_least_once: bool, kind: Kind) -> bool {
        Transient { at_least_once }.again(&ConnectionError::new(kind, "a test"))
    }

    #[test]
    fn what_was_not_sent_is_repeated() {
        assert!(again(false, Kind::NotConnected));
        assert!(again(false, Kind::Connect));
        assert!(again(false, Kind::NoResponders));
    }

    #[test]
    fn what_may_have_had_an_effect_is_repeated_only_at_least_once() {
        let request = Operation::Request;
        for kind in [
            Kind::OutcomeUnknown,
            Kind::ConnectionLost { epoch: 1 },
            Kind::Deadline { operation: request },
        ] {
            assert!(!again(false, kind.clone()), "{kind}");
            assert!(again(true, kind.clone()), "{kind}");
        }
    }

    #[test]
    fn a_second_try_that_meets_the_first_one_is_repeated_at_least_once() {
        let refused = |err_code| Kind::Api {
            code: 409,
            err_code,
            description: "duplicate message id is in process".to_owned(),
        };
        assert!(again(true, refused(10158)));
        assert!(!again(false, refused(10158)));
        assert!(!again(true, refused(10071)));
    }

    #[test]
    fn what_never_helps_is_never_repeated() {
        for kind in [
            Kind::AuthFailed,
            Kind::InvalidSubject,
            Kind::PayloadTooLarge,
            Kind::ShuttingDown,
            Kind::Protocol,
        ] {
            assert!(!again(true, kind.clone()), "{kind}");
        }
    }
}
