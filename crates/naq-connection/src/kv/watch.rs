//! Following the changes of a bucket.

use std::fmt;
use std::time::Duration;

use async_nats::jetstream::kv::{Entry, Watch};
use futures::StreamExt;
use tokio::time::sleep;

use super::store::KvStore;
use super::value::KvEntry;
use crate::dial::Backoff;
use crate::error::ConnectionError;

/// The longest pause between two attempts to begin anew.
const PAUSE: Duration = Duration::from_millis(500);

/// The changes of some keys, as they come. Holds a lease.
pub struct KvWatch {
    store: KvStore,
    filter: String,
    /// The client's watch and the epoch that it was begun in: it stalls when that is over.
    begun: Option<(Watch, u64)>,
    /// The newest revision that was told.
    last: u64,
}

impl KvStore {
    /// The newest revision of each key that `filter` matches (`>`: all; `jobs.*`), then every change
    /// of them, without end.
    ///
    /// It goes on by itself after a reconnect, with the newest revision of each key that was changed
    /// meanwhile.
    ///
    /// # Errors
    /// `NotFound`, `NotConnected`, `Deadline`, `Api`: as [`get`](Self::get).
    pub async fn watch(&self, filter: impl Into<String>) -> Result<KvWatch, ConnectionError> {
        let mut watch = KvWatch {
            store: self.clone(),
            filter: filter.into(),
            begun: None,
            last: 0,
        };
        watch.begin().await?;
        Ok(watch)
    }
}

impl KvWatch {
    /// The next revision; `None` when the client has ended. Waits without a deadline. Cancel safe.
    ///
    /// # Errors
    /// `NotFound`: the bucket is gone. `Api`: the server refuses to go on.
    pub async fn next(&mut self) -> Option<Result<KvEntry, ConnectionError>> {
        let backoff = Backoff::new(PAUSE);
        let mut failures = 0;
        loop {
            match self.step().await {
                Ok(Some(entry)) => return Some(Ok(entry)),
                Ok(None) => {}
                Err(_) if self.store.connection.state().is_terminal() => return None,
                Err(error) if !error.is_transient() => return Some(Err(error)),
                Err(_transient) => {
                    sleep(backoff.pause(failures)).await;
                    failures += 1;
                }
            }
        }
    }

    /// Begins anew if need be, and takes what comes next; `None` if that is nothing new.
    async fn step(&mut self) -> Result<Option<KvEntry>, ConnectionError> {
        if self.begun.is_none() {
            self.begin().await?;
        }
        let Some((watch, epoch)) = &mut self.begun else {
            return Ok(None);
        };
        let next: Option<Entry> = tokio::select! {
            biased;
            entry = watch.next() => entry.and_then(Result::ok),
            () = self.store.connection.epoch_over(*epoch) => None,
        };
        let Some(entry) = next else {
            self.begun = None;
            return Ok(None);
        };
        if entry.revision <= self.last {
            return Ok(None);
        }
        self.last = entry.revision;
        Ok(Some(entry.into()))
    }

    async fn begin(&mut self) -> Result<(), ConnectionError> {
        let connection = &self.store.connection;
        let limit = connection.request_timeout();
        let epoch = connection.state().epoch;
        let handle = self.store.handle().await?;
        let begin = handle.watch_with_history(&self.filter);
        // The client's future is large.
        let mut begun = Box::pin(connection.read(limit, begin)).await;
        if let Err(error) = begun {
            let handle = self.store.look_again(error).await?;
            let begin = handle.watch_with_history(&self.filter);
            begun = Box::pin(connection.read(limit, begin)).await;
        }
        self.begun = Some((begun?, epoch));
        Ok(())
    }
}

impl fmt::Debug for KvWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KvWatch")
            .field("store", &self.store)
            .field("filter", &self.filter)
            .finish_non_exhaustive()
    }
}
