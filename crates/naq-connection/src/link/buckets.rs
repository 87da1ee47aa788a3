//! Handles of buckets, each good for one epoch.
//!
//! To make one asks the server, which takes four times as long as a write with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::jetstream::kv::Store;

/// More buckets than that are forgotten all at once and asked for anew.
const MOST: usize = 1024;

#[derive(Default)]
pub(crate) struct Buckets {
    known: Mutex<HashMap<String, (u64, Arc<Store>)>>,
}

impl Buckets {
    /// The handle that was made in `epoch`. After a reconnect the server may be another one.
    pub(crate) fn get(&self, bucket: &str, epoch: u64) -> Option<Arc<Store>> {
        let known = self.lock();
        let (made_in, store) = known.get(bucket)?;
        (*made_in == epoch).then(|| Arc::clone(store))
    }

    pub(crate) fn keep(&self, epoch: u64, store: &Arc<Store>) {
        let mut known = self.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(store.name.clone(), (epoch, Arc::clone(store)));
    }

    pub(crate) fn forget(&self, bucket: &str) {
        self.lock().remove(bucket);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (u64, Arc<Store>)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
