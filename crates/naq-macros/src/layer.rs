//! The attributes of a function, from the outermost in.

use proc_macro2::TokenStream;
use syn::{Attribute, Meta, Result};

use crate::arguments::Arguments;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Connection,
    JetStream,
    KvStore,
    Monitoring,
    Retry,
}

const ALL: [Kind; 5] = [
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

pub(crate) struct Layer {
    pub(crate) kind: Kind,
    pub(crate) arguments: Arguments,
}

impl Layer {
    pub(crate) fn parse(kind: Kind, arguments: TokenStream) -> Result<Self> {
        let arguments = Arguments::parse(kind, arguments)?;
        Ok(Self { kind, arguments })
    }
}

/// Takes ours out of `attributes`. All of a function are expanded at once, for an upper one must
/// know what the lower ones give.
pub(crate) fn take(attributes: &mut Vec<Attribute>) -> Result<Vec<Layer>> {
    let mut layers = Vec::new();
    for attribute in std::mem::take(attributes) {
        let last = attribute.path().segments.last();
        let kind = ALL
            .into_iter()
            .find(|kind| last.is_some_and(|last| last.ident == kind.name()));
        let Some(kind) = kind else {
            attributes.push(attribute);
            continue;
        };
        let arguments = match attribute.meta {
            Meta::List(list) => list.tokens,
            _ => TokenStream::new(),
        };
        layers.push(Layer::parse(kind, arguments)?);
    }
    Ok(layers)
}
