//! What a step found.

use std::fmt;

/// A step of [`examine`](super::examine), in the order in which they are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Check {
    /// The settings fit together.
    Settings,
    /// The name of a server has addresses.
    Lookup,
    /// The port takes connections.
    Tcp,
    /// What answers there is a NATS server.
    Greeting,
    /// The server is the right one, and nobody can listen in.
    Tls,
    /// The server lets us in.
    Auth,
    /// The version is new enough.
    Version,
    /// Headers and payload size.
    Features,
    /// We may publish and subscribe where every client must.
    Permissions,
    /// A question and its answer on the connection.
    RoundTrip,
    /// JetStream is there for this account.
    JetStream,
    /// What the account may use and uses.
    AccountLimits,
    /// Copies that the settings ask for, and copies that lag behind.
    Replicas,
    /// Whether an acknowledged message survives a power failure.
    Fsync,
    /// The clock of the server against ours.
    Clock,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and something is worth a look.
    Warning,
    /// It does not work.
    Error,
    /// Not looked at: an earlier step failed, or it cannot be seen from here.
    Skipped,
}

/// What a step found. Holds no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The step.
    pub check: Check,
    /// How it ended.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do; `None` if there is nothing to do.
    pub remedy: Option<String>,
}

impl Check {
    /// Every step, in order.
    pub const ALL: [Self; 15] = [
        Self::Settings,
        Self::Lookup,
        Self::Tcp,
        Self::Greeting,
        Self::Tls,
        Self::Auth,
        Self::Version,
        Self::Features,
        Self::Permissions,
        Self::RoundTrip,
        Self::JetStream,
        Self::AccountLimits,
        Self::Replicas,
        Self::Fsync,
        Self::Clock,
    ];
}

impl Finding {
    pub(super) fn ok(check: Check, found: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, found, None)
    }

    pub(super) fn skipped(check: Check, found: impl Into<String>) -> Self {
        Self::new(check, Verdict::Skipped, found, None)
    }

    pub(super) fn warning(check: Check, found: impl Into<String>, remedy: &str) -> Self {
        Self::new(check, Verdict::Warning, found, Some(remedy))
    }

    pub(super) fn error(check: Check, found: impl Into<String>, remedy: &str) -> Self {
        Self::new(check, Verdict::Error, found, Some(remedy))
    }

    fn new(check: Check, verdict: Verdict, found: impl Into<String>, remedy: Option<&str>) -> Self {
        Self {
            check,
            verdict,
            found: found.into(),
            remedy: remedy.map(str::to_owned),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Settings => "settings",
            Self::Lookup => "name lookup",
            Self::Tcp => "TCP",
            Self::Greeting => "greeting",
            Self::Tls => "TLS",
            Self::Auth => "credentials",
            Self::RoundTrip => "round trip",
            Self::Permissions => "permissions",
            Self::Version => "version",
            Self::Features => "features",
            Self::JetStream => "JetStream",
            Self::AccountLimits => "account limits",
            Self::Replicas => "replicas",
            Self::Fsync => "fsync",
            Self::Clock => "clock",
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Skipped => "skipped",
        })
    }
}
