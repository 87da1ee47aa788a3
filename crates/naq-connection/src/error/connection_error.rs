//! The error itself.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::kind::{ConnectionErrorKind, Operation};

/// The server's code for a message whose first try, under the same id, is still on its way to the other servers.
const IN_PROCESS: u64 = 10158;

/// The error of this crate. Cheap to clone: callers that shared one dial share its error.
#[derive(Clone)]
pub struct ConnectionError(Arc<Inner>);

struct Inner {
    kind: ConnectionErrorKind,
    context: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// Whether there is an error record of this failure.
    told: AtomicBool,
}

impl ConnectionError {
    pub(crate) fn new(kind: ConnectionErrorKind, context: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            context: context.into(),
            source: None,
            told: AtomicBool::new(false),
        }))
    }

    pub(crate) fn with_source(
        kind: ConnectionErrorKind,
        context: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self(Arc::new(Inner {
            kind,
            context: context.into(),
            source: Some(source.into()),
            told: AtomicBool::new(false),
        }))
    }

    /// Calls `record` unless this failure, or the one that it came from, was recorded before: one
    /// failure is one error record, however many scopes it passes and callers it has.
    pub(crate) fn tell(&self, record: impl FnOnce(&Self)) {
        let mut told = false;
        let mut cause = StdError::source(self);
        while let Some(error) = cause {
            let earlier = error.downcast_ref::<Self>();
            told |= earlier.is_some_and(|error| error.0.told.load(Ordering::Relaxed));
            cause = error.source();
        }
        if !self.0.told.swap(true, Ordering::Relaxed) && !told {
            record(self);
        }
    }

    /// What went wrong.
    pub fn kind(&self) -> &ConnectionErrorKind {
        &self.0.kind
    }

    /// Whether the cause can pass by itself, so that the same call may succeed later.
    ///
    /// This says nothing about whether repeating is harmless: ask
    /// [`outcome_unknown`](Self::outcome_unknown) too unless the operation is idempotent.
    pub fn is_transient(&self) -> bool {
        use ConnectionErrorKind as Kind;
        match &self.0.kind {
            Kind::Connect
            | Kind::ConnectTimedOut
            | Kind::Credentials
            | Kind::ReconnectsExhausted
            | Kind::Closed
            | Kind::ConnectionLost { .. }
            | Kind::NotConnected
            | Kind::Deadline { .. }
            | Kind::NoResponders
            | Kind::OutcomeUnknown => true,
            Kind::Api { code, err_code, .. } => *code == 503 || *err_code == IN_PROCESS,
            Kind::NotFound
            | Kind::Conflict { .. }
            | Kind::Incompatible { .. }
            | Kind::InvalidName
            | Kind::InvalidSettings
            | Kind::UnknownProfile
            | Kind::NoRuntime
            | Kind::Tls
            | Kind::AuthFailed
            | Kind::ShuttingDown
            | Kind::InvalidSubject
            | Kind::PayloadTooLarge
            | Kind::Protocol
            | Kind::Client => false,
        }
    }

    /// Whether the server may have acted on the call although it failed here.
    pub fn outcome_unknown(&self) -> bool {
        use ConnectionErrorKind as Kind;
        matches!(
            self.0.kind,
            Kind::Api {
                err_code: IN_PROCESS,
                ..
            } | Kind::ConnectionLost { .. }
                | Kind::OutcomeUnknown
                | Kind::Protocol
                | Kind::Deadline {
                    operation: Operation::Request
                }
        )
    }
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind, self.0.context)
    }
}

impl fmt::Debug for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionError")
            .field("kind", &self.0.kind)
            .field("context", &self.0.context)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for ConnectionError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.0.source.as_ref()?;
        Some(source.as_ref())
    }
}
