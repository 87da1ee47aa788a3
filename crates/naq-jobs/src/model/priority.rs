//! Which jobs of a queue go first.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which jobs of a queue go first. A queue that never had anything but normal jobs costs nothing more.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Before all others.
    High,
    /// What a job has that says nothing.
    #[default]
    Normal,
    /// When nothing else waits.
    Low,
}

impl Priority {
    /// All of them, the first one first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// The priority of a word; anything else is the normal one.
    pub(crate) fn read(word: Option<&str>) -> Self {
        let is_meant = |priority: &Self| word == Some(priority.as_str());
        Self::ALL.into_iter().find(is_meant).unwrap_or_default()
    }

    /// The word for it, as on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
