//! Why an embedded server did not start, or did not do what it was told.

use std::fmt;

use crate::lookup::LookupError;

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmbeddedErrorKind {
    /// No usable nats-server on this machine; see [`EmbeddedError::lookup`].
    NoServer,
    /// The binary was found, but this machine could not run it.
    NotExecutable,
    /// Something else listens on the port that was asked for.
    PortInUse,
    /// The store directory cannot be made or written.
    StoreNotWritable,
    /// Another embedded server holds the store directory.
    StoreInUse,
    /// The server refused its configuration.
    InvalidConfig,
    /// The server runs, but was not ready within the deadline.
    NotReady,
    /// The server ended while it started.
    Exited,
    /// The server is down, has failed for good, or its supervisor is gone.
    NotRunning,
    /// A monitoring endpoint gave no usable answer, or monitoring is off.
    Monitoring,
    /// The operating system refused something, such as a process or a temporary directory.
    System,
}

/// A failure of an embedded server.
#[derive(Debug)]
pub struct EmbeddedError {
    kind: EmbeddedErrorKind,
    context: String,
    log: Vec<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl EmbeddedError {
    pub(crate) fn new(kind: EmbeddedErrorKind, context: impl Into<String>) -> Self {
        Self {
            kind,
            context: context.into(),
            log: Vec::new(),
            source: None,
        }
    }

    pub(crate) fn with_log(mut self, log: Vec<String>) -> Self {
        self.log = log;
        self
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(crate) fn system(context: impl Into<String>, source: std::io::Error) -> Self {
        Self::new(EmbeddedErrorKind::System, context).with_source(source)
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> EmbeddedErrorKind {
        self.kind
    }

    /// The server's last log lines, oldest first; empty if it never ran.
    pub fn log(&self) -> &[String] {
        &self.log
    }

    /// Every place a binary was looked for, if the kind is [`EmbeddedErrorKind::NoServer`].
    pub fn lookup(&self) -> Option<&LookupError> {
        self.source.as_ref()?.downcast_ref()
    }

    /// Whether the same call may succeed later without anything being repaired.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            EmbeddedErrorKind::PortInUse
                | EmbeddedErrorKind::StoreInUse
                | EmbeddedErrorKind::NotReady
        )
    }
}

impl fmt::Display for EmbeddedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.context)?;
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        if !self.log.is_empty() {
            f.write_str("\nlast lines of its log:")?;
            for line in &self.log {
                write!(f, "\n  {line}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for EmbeddedError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // `Display` already shows the source, so a chain printer goes on below it.
        self.source.as_deref().and_then(std::error::Error::source)
    }
}

impl From<LookupError> for EmbeddedError {
    fn from(error: LookupError) -> Self {
        Self::new(EmbeddedErrorKind::NoServer, "no embedded server").with_source(error)
    }
}
