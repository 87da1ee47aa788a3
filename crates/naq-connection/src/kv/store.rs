//! The bucket that a caller holds.

use std::fmt;
use std::sync::Arc;

use async_nats::jetstream::kv::Store;

use super::bucket::open;
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::lease::Connection;

/// A bucket, and the lease of the connection that it is used by. See
/// [`nats_kv_store`](crate::nats_kv_store).
///
/// Every call has a deadline: `request_timeout`. The handle behind it is remembered by the
/// connection, so that opening a bucket again costs no request; it is asked for anew after a
/// reconnect and when the bucket turns out to be gone.
#[derive(Clone)]
pub struct KvStore {
    pub(super) connection: Connection,
    bucket: Arc<str>,
}

impl KvStore {
    pub(super) fn new(connection: Connection, bucket: &str) -> Self {
        Self {
            connection,
            bucket: Arc::from(bucket),
        }
    }

    /// The name of the bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The lease that this holds.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) async fn handle(&self) -> Result<Arc<Store>, ConnectionError> {
        open(&self.connection, &self.bucket).await
    }

    /// Looks again after `error`, if it may mean that the bucket is gone or another one by now.
    ///
    /// # Errors
    /// `NotFound` if it is gone; `error` if it says something else.
    pub(super) async fn look_again(
        &self,
        error: ConnectionError,
    ) -> Result<Arc<Store>, ConnectionError> {
        use ConnectionErrorKind as Kind;
        match error.kind() {
            Kind::NoResponders | Kind::Client | Kind::Api { code: 404, .. } => {
                self.connection.buckets().forget(&self.bucket);
                self.handle().await
            }
            _ => Err(error),
        }
    }
}

impl fmt::Debug for KvStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KvStore")
            .field("bucket", &self.bucket)
            .field("connection", &self.connection)
            .finish()
    }
}
