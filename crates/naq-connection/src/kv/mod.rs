//! Buckets of keys and values.
//!
//! `scope` is how a bucket is opened, `store` the bucket, `read`, `write`, `many` and `watch` what is
//! done with it. `bucket` knows whether it exists and remembers that, `config` what it is made of,
//! `value` what may be put in.

mod bucket;
mod config;
mod many;
mod read;
mod scope;
mod store;
mod value;
mod watch;
mod write;

pub use async_nats::jetstream::kv::{Config as BucketConfig, Operation as KvOperation};
pub use many::PutReport;
pub use read::KeyList;
pub use scope::{NatsKvStore, nats_kv_store, with_kv_store};
pub use store::KvStore;
pub use value::{KvEntry, KvValue};
pub use watch::KvWatch;
