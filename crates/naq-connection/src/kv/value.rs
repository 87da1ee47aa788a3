//! What goes into a bucket and what comes out.

use std::time::SystemTime;

use async_nats::jetstream::kv::{Entry, Operation};
use bytes::Bytes;

/// A value to put: text or bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvValue(pub(super) Bytes);

impl From<&str> for KvValue {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for KvValue {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&String> for KvValue {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<&[u8]> for KvValue {
    fn from(bytes: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(bytes))
    }
}

impl<const N: usize> From<&[u8; N]> for KvValue {
    fn from(bytes: &[u8; N]) -> Self {
        bytes.as_slice().into()
    }
}

impl From<Vec<u8>> for KvValue {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<Bytes> for KvValue {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

/// One revision of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KvEntry {
    /// The key.
    pub key: String,
    /// The value; empty if `operation` is not `Put`.
    pub value: Bytes,
    /// The revision: grows with each change of the bucket. Give it to
    /// [`update`](crate::KvStore::update).
    pub revision: u64,
    /// Whether the key was put, deleted or purged.
    pub operation: Operation,
    /// When the server stored it, by its clock.
    pub created: SystemTime,
}

impl From<Entry> for KvEntry {
    fn from(entry: Entry) -> Self {
        Self {
            key: entry.key,
            value: entry.value,
            revision: entry.revision,
            operation: entry.operation,
            created: entry.created.into(),
        }
    }
}
