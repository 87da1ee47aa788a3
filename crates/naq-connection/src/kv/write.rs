//! Writing to a bucket.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::kv::{Operation, Store};
use bytes::Bytes;

use super::config::check_key;
use super::store::KvStore;
use super::value::KvValue;
use crate::error::{ConnectionError, ConnectionErrorKind};

const OPERATION: &str = "KV-Operation";
const ROLLUP: &str = "Nats-Rollup";
const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";
const TTL: &str = "Nats-TTL";

/// The key has another revision than the expected one. Two codes: a server of a cluster may refuse
/// before it knows which.
const WRONG_REVISION: [u64; 2] = [10071, 10164];

/// # Errors
/// Of every call that writes: `NotFound`, the bucket is gone; `InvalidName`; `OutcomeUnknown`, it may
/// be stored or not, so read before you repeat it; `NotConnected`, not stored, safe to retry; `Api`
/// with the server's codes; `PayloadTooLarge`; `Closed`, `ReconnectsExhausted`: take a new lease.
impl KvStore {
    /// Sets `key`, whatever it is now; returns the revision.
    ///
    /// # Errors
    /// Those of every call that writes.
    pub async fn put(&self, key: &str, value: impl Into<KvValue>) -> Result<u64, ConnectionError> {
        self.write(key, HeaderMap::new(), value.into().0).await
    }

    /// As [`put`](Self::put); the key goes away after `ttl`, which counts in whole seconds, at least
    /// one.
    ///
    /// # Errors
    /// Those of every call that writes; `InvalidSettings` if the bucket was made without
    /// `limit_markers`: then its keys have no times of their own.
    pub async fn put_with_ttl(
        &self,
        key: &str,
        value: impl Into<KvValue>,
        ttl: Duration,
    ) -> Result<u64, ConnectionError> {
        let handle = self.handle().await?;
        if !handle.stream.cached_info().config.allow_message_ttl {
            return Err(ConnectionError::new(
                ConnectionErrorKind::InvalidSettings,
                format!(
                    "bucket `{}` gives keys no times of their own: ensure it with `limit_markers`",
                    self.bucket()
                ),
            ));
        }
        let mut headers = HeaderMap::new();
        let seconds = ttl.as_millis().div_ceil(1000).max(1);
        headers.insert(TTL, format!("{seconds}s"));
        self.write(key, headers, value.into().0).await
    }

    /// Sets `key` if it has no value; returns the revision.
    ///
    /// # Errors
    /// Those of every call that writes; `Conflict` if it has one.
    pub async fn create(
        &self,
        key: &str,
        value: impl Into<KvValue>,
    ) -> Result<u64, ConnectionError> {
        let value = value.into();
        let conflict = match self.update(key, value.clone(), 0).await {
            Err(error) if is_conflict(&error) => error,
            other => return other,
        };
        // What was deleted has a revision all the same: that of the deletion.
        match self.entry(key).await? {
            Some(entry) if entry.operation != Operation::Put => {
                self.update(key, value, entry.revision).await
            }
            Some(entry) => Err(ConnectionError::with_source(
                ConnectionErrorKind::Conflict {
                    revision: Some(entry.revision),
                },
                format!("`{key}` is there already"),
                conflict,
            )),
            None => Err(conflict),
        }
    }

    /// Sets `key` if its revision is still `revision` (0: never had one); returns the new one.
    ///
    /// # Errors
    /// Those of every call that writes; `Conflict` if it is another.
    pub async fn update(
        &self,
        key: &str,
        value: impl Into<KvValue>,
        revision: u64,
    ) -> Result<u64, ConnectionError> {
        let mut headers = HeaderMap::new();
        headers.insert(EXPECTED, revision.to_string());
        self.write(key, headers, value.into().0).await
    }

    /// Takes the value of `key` away; its history stays. Fine if it has none.
    ///
    /// # Errors
    /// Those of every call that writes.
    pub async fn delete(&self, key: &str) -> Result<(), ConnectionError> {
        let mut headers = HeaderMap::new();
        headers.insert(OPERATION, "DEL");
        self.write(key, headers, Bytes::new()).await.map(drop)
    }

    /// Takes the value of `key` away, and its history.
    ///
    /// # Errors
    /// Those of every call that writes.
    pub async fn purge(&self, key: &str) -> Result<(), ConnectionError> {
        let mut headers = HeaderMap::new();
        headers.insert(OPERATION, "PURGE");
        headers.insert(ROLLUP, "sub");
        self.write(key, headers, Bytes::new()).await.map(drop)
    }

    async fn write(
        &self,
        key: &str,
        headers: HeaderMap,
        value: Bytes,
    ) -> Result<u64, ConnectionError> {
        check_key(key)?;
        let subject = subject(&*self.handle().await?, key);
        let written = self.connection.publish_acked(subject, headers, value).await;
        match written {
            Ok(ack) => Ok(ack.sequence),
            Err(error) if *error.kind() == ConnectionErrorKind::NoResponders => {
                // Gone, or without a leader for now: that is told apart by asking.
                self.look_again(error.clone()).await?;
                Err(error)
            }
            Err(error) => Err(conflict(key, error)),
        }
    }
}

fn subject(store: &Store, key: &str) -> String {
    let prefix = store.put_prefix.as_ref().unwrap_or(&store.prefix);
    format!("{prefix}{key}")
}

fn is_conflict(error: &ConnectionError) -> bool {
    matches!(error.kind(), ConnectionErrorKind::Conflict { .. })
}

fn conflict(key: &str, error: ConnectionError) -> ConnectionError {
    match error.kind() {
        ConnectionErrorKind::Api {
            err_code,
            description,
            ..
        } if WRONG_REVISION.contains(err_code) => {
            // `wrong last sequence: 7`
            let revision = description.rsplit(' ').next().and_then(|n| n.parse().ok());
            ConnectionError::with_source(
                ConnectionErrorKind::Conflict { revision },
                format!("`{key}` is not at the expected revision"),
                error,
            )
        }
        _ => error,
    }
}
