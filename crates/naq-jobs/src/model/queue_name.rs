//! The name of a queue.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The name of a queue: 1 to 64 of `A-Z a-z 0-9 _ -`.
///
/// A dot is refused: it separates the parts of a NATS subject, so a queue `a.b` would be somewhere else than it says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueName(Arc<str>);

/// The text is no [`QueueName`]. A retry does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct InvalidQueueName(#[from] naq_config::names::NameError);

impl QueueName {
    /// Checks and wraps `text`.
    ///
    /// # Errors
    /// [`InvalidQueueName`], with what to write instead.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidQueueName> {
        let text = text.into();
        naq_config::names::check_queue_name(&text)?;
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for QueueName {
    type Err = InvalidQueueName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}
