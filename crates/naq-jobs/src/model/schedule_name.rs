//! The name of a schedule.

use std::fmt;
use std::str::FromStr;

use super::token::is_token;

/// Longest name, in bytes: `<name>-<instant>` must be a job id.
const MAX_LEN: usize = 40;

/// The name of a schedule: 1 to 40 of `A-Z a-z 0-9 _ -`. The ids of its jobs begin with it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScheduleName(String);

/// The text is no [`ScheduleName`]. A retry does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid name of a schedule {0:?}: it is 1 to 40 of A-Z a-z 0-9 _ -")]
pub struct InvalidScheduleName(String);

impl ScheduleName {
    /// Checks and wraps `text`.
    ///
    /// # Errors
    /// [`InvalidScheduleName`] if it is empty, too long, or has other characters.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidScheduleName> {
        let text = text.into();
        if is_token(&text, MAX_LEN) {
            Ok(Self(text))
        } else {
            Err(InvalidScheduleName(text.chars().take(80).collect()))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ScheduleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ScheduleName {
    type Err = InvalidScheduleName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leaves_room_for_the_instant_in_a_job_id() {
        assert!(ScheduleName::new("x".repeat(40)).is_ok());
        for bad in ["", "a.b", "a b", "*", &"x".repeat(41)] {
            assert!(ScheduleName::new(bad).is_err(), "{bad:?}");
        }
        let id = format!("{}-20240331T010000Z", "x".repeat(40));
        assert!(crate::JobId::new(id).is_ok());
    }
}
