//! What `#[naq::job]` expands to besides public functions.

pub use serde;

/// A `Result`, whatever its alias is called.
#[doc(hidden)]
pub trait Returned {
    /// The type of its value.
    type Value;
}

impl<T, E> Returned for Result<T, E> {
    type Value = T;
}
