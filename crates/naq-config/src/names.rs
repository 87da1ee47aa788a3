//! What a queue, a prefix, a pool and a job kind may be called.
//!
//! The rules are here, and not with the sections that use them, because the code that enqueues
//! jobs checks the same names long after the configuration was read.

use std::fmt;

/// Longest queue name, prefix or pool name.
pub const MAX_NAME_LENGTH: usize = 64;
/// Longest job kind.
pub const MAX_KIND_LENGTH: usize = 128;

/// What is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameKind {
    /// A queue.
    Queue,
    /// The first part of every stream and subject name.
    Prefix,
    /// A pool of a worker.
    Pool,
    /// A job kind.
    JobKind,
}

/// Why a name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameReason {
    /// It has no characters.
    #[error("it is empty")]
    Empty,
    /// It has more characters than `limit`.
    #[error("it is {length} characters long, at most {limit} are allowed")]
    TooLong {
        /// Characters of the name.
        length: usize,
        /// Characters allowed.
        limit: usize,
    },
    /// It has a dot where the name becomes one token of a NATS subject.
    #[error("a dot separates the tokens of a NATS subject; use `-` or `_` instead")]
    Dot,
    /// It has a character outside the rule.
    #[error("the character {0:?} is not allowed")]
    Character(char),
}

/// A refused name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid {kind}: {reason}", name.escape_debug())]
pub struct NameError {
    /// What should have been named.
    pub kind: NameKind,
    /// The name as given, cut after the longest allowed length.
    pub name: String,
    /// Why it is refused.
    pub reason: NameReason,
}

impl fmt::Display for NameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queue => "queue name",
            Self::Prefix => "prefix",
            Self::Pool => "pool name",
            Self::JobKind => "job kind",
        })
    }
}

/// Checks a queue name: `[A-Za-z0-9_-]{1,64}`.
///
/// # Errors
///
/// The rule that `name` breaks.
pub fn check_queue_name(name: &str) -> Result<(), NameError> {
    check(NameKind::Queue, name)
}

/// Checks a prefix of stream and subject names: `[A-Za-z0-9_-]{1,64}`.
///
/// # Errors
///
/// The rule that `name` breaks.
pub fn check_prefix(name: &str) -> Result<(), NameError> {
    check(NameKind::Prefix, name)
}

/// Checks a pool name: `[A-Za-z0-9_-]{1,64}`.
///
/// # Errors
///
/// The rule that `name` breaks.
pub fn check_pool_name(name: &str) -> Result<(), NameError> {
    check(NameKind::Pool, name)
}

/// Checks a job kind: `[A-Za-z0-9_.:-]{1,128}`.
///
/// # Errors
///
/// The rule that `name` breaks.
pub fn check_job_kind(name: &str) -> Result<(), NameError> {
    check(NameKind::JobKind, name)
}

fn check(kind: NameKind, name: &str) -> Result<(), NameError> {
    let dotted = kind == NameKind::JobKind;
    let limit = if dotted {
        MAX_KIND_LENGTH
    } else {
        MAX_NAME_LENGTH
    };
    let refused = |c: char| !matches!(c, 'A'..='Z' | 'a'..='z' | '0'..='9' | '_' | '-');
    let length = name.chars().count();
    let reason = if length == 0 {
        NameReason::Empty
    } else if length > limit {
        NameReason::TooLong { length, limit }
    } else {
        match name
            .chars()
            .find(|&c| refused(c) && !(dotted && matches!(c, '.' | ':')))
        {
            None => return Ok(()),
            Some('.') => NameReason::Dot,
            Some(c) => NameReason::Character(c),
        }
    };
    Err(NameError {
        kind,
        name: name.chars().take(limit).collect(),
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_name_has_letters_digits_dashes_and_underscores() {
        for good in ["a", "naq_default_queue", "High-Priority-2", &"x".repeat(64)] {
            assert_eq!(check_queue_name(good), Ok(()), "{good}");
        }
        for bad in ["", "a b", "a*", "a>", "é", "a/b", &"x".repeat(65)] {
            assert!(check_queue_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_dotted_queue_name_is_refused_with_advice() {
        let error = check_queue_name("emails.high").unwrap_err();
        assert_eq!(error.reason, NameReason::Dot);
        assert_eq!(
            error.to_string(),
            "`emails.high` is not a valid queue name: \
             a dot separates the tokens of a NATS subject; use `-` or `_` instead"
        );
    }

    #[test]
    fn a_job_kind_may_have_dots_and_colons() {
        assert_eq!(check_job_kind("email.send:v2"), Ok(()));
        assert_eq!(
            check_job_kind("a b").unwrap_err().reason,
            NameReason::Character(' ')
        );
        assert_eq!(
            check_job_kind(&"x".repeat(129)).unwrap_err().reason,
            NameReason::TooLong {
                length: 129,
                limit: 128
            }
        );
    }

    #[test]
    fn a_control_character_is_escaped_in_the_message() {
        let text = check_prefix("a\nb").unwrap_err().to_string();
        assert!(text.starts_with("`a\\nb` is not a valid prefix"), "{text}");
    }
}
