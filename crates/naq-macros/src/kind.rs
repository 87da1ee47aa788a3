//! The attributes that there are, and their options.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Connection,
    JetStream,
    KvStore,
    Monitoring,
    Retry,
}

pub(crate) const ALL: [Kind; 5] = [
    Kind::Connection,
    Kind::JetStream,
    Kind::KvStore,
    Kind::Monitoring,
    Kind::Retry,
];

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connection => "with_nats_connection",
            Self::JetStream => "with_jetstream_context",
            Self::KvStore => "with_kv_store",
            Self::Monitoring => "with_connection_monitoring",
            Self::Retry => "retry_on_connection_failure",
        }
    }

    pub(crate) fn options(self) -> &'static [&'static str] {
        match self {
            Self::Connection | Self::JetStream => &["config", "crate"],
            Self::KvStore => &["bucket", "config", "crate"],
            Self::Monitoring => &["crate"],
            Self::Retry => &[
                "max_retries",
                "retry_delay",
                "backoff_factor",
                "max_delay",
                "jitter",
                "at_least_once",
                "when",
                "crate",
            ],
        }
    }

    /// What the injected parameter looks like, if there is one.
    pub(crate) fn parameter(self) -> Option<&'static str> {
        match self {
            Self::Connection => Some("conn: &Connection"),
            Self::JetStream => Some("js: &JetStream"),
            Self::KvStore => Some("kv: &KvStore"),
            Self::Monitoring | Self::Retry => None,
        }
    }

    pub(crate) fn refusal(self, option: &str) -> String {
        let (name, options) = (self.name(), self.options().join("`, `"));
        format!("`{name}` has no option `{option}`; it has `{options}`")
    }
}
