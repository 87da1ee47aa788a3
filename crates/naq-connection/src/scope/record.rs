//! One error record for each failure, written where it is seen first.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;

use crate::error::ConnectionError;

/// Records `error` as `"{what}: {error}"`, unless it was recorded before.
pub(crate) fn tell(error: &ConnectionError, what: impl fmt::Display) {
    error.tell(|error| tracing::error!("{what}: {error}"));
}

/// Records what a scope's body failed with, if that is an error of this crate; the others are the
/// caller's.
pub(crate) fn tell_body<R, E: 'static>(
    result: Result<R, E>,
    what: impl fmt::Display,
) -> Result<R, E> {
    result.inspect_err(|error| {
        if let Some(error) = connection_error(error) {
            tell(error, what);
        }
    })
}

/// The error of this crate that `error` is, itself or in a box.
fn connection_error<E: 'static>(error: &E) -> Option<&ConnectionError> {
    type Boxed = Box<dyn StdError + Send + Sync>;
    let any: &dyn Any = error;
    any.downcast_ref::<ConnectionError>().or_else(|| {
        let boxed = any.downcast_ref::<Boxed>()?;
        boxed.downcast_ref()
    })
}
