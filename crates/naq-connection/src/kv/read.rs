//! Reading a bucket.

use async_nats::jetstream::kv::{Operation, Store};
use bytes::Bytes;
use futures::StreamExt;

use super::config::check_key;
use super::store::KvStore;
use super::value::KvEntry;
use crate::error::ConnectionError;

/// Some keys of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyList {
    /// The keys, the one that was not changed for the longest time first.
    pub keys: Vec<String>,
    /// Whether there are more than were asked for.
    pub more: bool,
}

/// # Errors
/// Of every call that reads: `NotFound`, the bucket is gone; `InvalidName`; `NotConnected` and
/// `Deadline`, safe to retry; `Api` with the server's codes; `Closed`, `ReconnectsExhausted`: take a
/// new lease.
impl KvStore {
    /// The value of `key`; `None` if it has none, or none any more.
    ///
    /// # Errors
    /// Those of every call that reads.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, ConnectionError> {
        let entry = self.entry(key).await?;
        Ok(entry
            .filter(|entry| entry.operation == Operation::Put)
            .map(|entry| entry.value))
    }

    /// The newest revision of `key`, also if it says that the key was deleted.
    ///
    /// # Errors
    /// Those of every call that reads.
    pub async fn entry(&self, key: &str) -> Result<Option<KvEntry>, ConnectionError> {
        check_key(key)?;
        let limit = self.connection.request_timeout();
        let handle = self.handle().await?;
        let mut found = self.connection.read(limit, handle.entry(key)).await;
        if let Err(error) = found {
            let handle = self.look_again(error).await?;
            found = self.connection.read(limit, handle.entry(key)).await;
        }
        Ok(found?.map(KvEntry::from))
    }

    /// The revisions of `key` that the bucket keeps, the oldest first; at most 64.
    ///
    /// # Errors
    /// Those of every call that reads.
    pub async fn history(&self, key: &str) -> Result<Vec<KvEntry>, ConnectionError> {
        check_key(key)?;
        let list = async |handle: &Store| {
            let mut history = handle.history(key).await?;
            let mut entries = Vec::new();
            while let Some(entry) = history.next().await {
                entries.push(KvEntry::from(entry?));
            }
            Ok::<_, ConnectionError>(entries)
        };
        let limit = self.connection.request_timeout();
        let handle = self.handle().await?;
        let mut found = self.connection.read(limit, list(&handle)).await;
        if let Err(error) = found {
            let handle = self.look_again(error).await?;
            found = self.connection.read(limit, list(&handle)).await;
        }
        found
    }

    /// The keys that have a value, at most `limit`.
    ///
    /// # Errors
    /// Those of every call that reads.
    pub async fn keys(&self, limit: usize) -> Result<KeyList, ConnectionError> {
        let list = async |handle: &Store| {
            let mut found = handle.keys().await?;
            let mut keys = Vec::new();
            let mut more = false;
            while let Some(key) = found.next().await {
                let key = key?;
                more = keys.len() >= limit;
                if more {
                    break;
                }
                keys.push(key);
            }
            Ok::<_, ConnectionError>(KeyList { keys, more })
        };
        let time = self.connection.request_timeout();
        let handle = self.handle().await?;
        let mut found = self.connection.read(time, list(&handle)).await;
        if let Err(error) = found {
            let handle = self.look_again(error).await?;
            found = self.connection.read(time, list(&handle)).await;
        }
        found
    }
}
