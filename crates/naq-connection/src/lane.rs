//! Lanes: why a profile may have two connections, and never more.

use std::fmt;

/// Which of a profile's connections a lease is on.
///
/// One connection carries messages in order, so an urgent one waits behind whatever was queued
/// before it. Large payloads go to a connection of their own; small ones share one, which is faster
/// than several (a socket takes many messages in one write).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Lane {
    /// Requests, acknowledgements, small messages. The default.
    #[default]
    Control,
    /// Large payloads. Connected at its first use; the server lists it as `<client_name> (bulk)`.
    Bulk,
}

impl Lane {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Bulk => "bulk",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
