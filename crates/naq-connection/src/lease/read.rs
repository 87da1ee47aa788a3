//! Reading through the client's own types, under our rules.

use std::time::Duration;

use async_nats::jetstream::Context;
use tokio::time::timeout;

use super::Connection;
use crate::error::{ConnectionError, ConnectionErrorKind, Operation};
use crate::link::Buckets;

impl Connection {
    /// Runs `call`, which changes nothing, until `deadline` at most and while the connection lasts.
    ///
    /// # Errors
    /// `NotConnected`, `Deadline`, both safe to retry; that of the call.
    pub(crate) async fn read<T, E>(
        &self,
        deadline: Duration,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, ConnectionError>
    where
        ConnectionError: From<E>,
    {
        let reading = async {
            let epoch = self.link.connected_epoch().await?;
            tokio::select! {
                biased;
                result = call => result.map_err(ConnectionError::from),
                lost = self.link.lost(epoch) => Err(ConnectionError::with_source(
                    ConnectionErrorKind::NotConnected,
                    "the connection dropped while reading",
                    lost,
                )),
            }
        };
        timeout(deadline, reading).await.unwrap_or_else(|_elapsed| {
            let operation = Operation::Read;
            Err(ConnectionError::new(
                ConnectionErrorKind::Deadline { operation },
                format!("no answer for {deadline:?}"),
            ))
        })
    }

    /// Resolves when the connection of `epoch` is not up any more.
    pub(crate) async fn epoch_over(&self, epoch: u64) {
        self.link.lost(epoch).await;
    }

    pub(crate) fn buckets(&self) -> &Buckets {
        &self.link.buckets
    }

    pub(crate) fn context(&self) -> &Context {
        &self.link.jetstream
    }
}
