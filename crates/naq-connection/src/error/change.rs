//! One difference between two configurations.

use std::fmt;

/// A field that differs. `Display` is `field: old -> new`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The server's name of the field, such as `max_age`.
    pub field: String,
    /// What the server has, as JSON (times in nanoseconds); `none` if it is not set.
    pub old: String,
    /// What was asked for.
    pub new: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} -> {}", self.field, self.old, self.new)
    }
}
