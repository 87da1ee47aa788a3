//! Whether a bucket exists, asked once per epoch.

use std::sync::Arc;

use async_nats::jetstream::kv::Store;

use super::config::check_name;
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::lease::Connection;
use crate::streams::stream_info;

/// The handle: the remembered one, or a new one.
///
/// # Errors
/// `InvalidName`, `NotFound`; those of a request.
pub(super) async fn open(
    connection: &Connection,
    bucket: &str,
) -> Result<Arc<Store>, ConnectionError> {
    let epoch = connection.state().epoch;
    if let Some(store) = connection.buckets().get(bucket, epoch) {
        return Ok(store);
    }
    check_name(bucket)?;
    // The client would not tell a bucket that is missing from a server that does not answer.
    if stream_info(connection, &format!("KV_{bucket}"))
        .await?
        .is_none()
    {
        return Err(missing(bucket));
    }
    let limit = connection.request_timeout();
    let call = connection.context().get_key_value(bucket);
    let store = Arc::new(connection.read(limit, call).await?);
    connection.buckets().keep(epoch, &store);
    Ok(store)
}

fn missing(bucket: &str) -> ConnectionError {
    ConnectionError::new(
        ConnectionErrorKind::NotFound,
        format!("there is no bucket `{bucket}`; make it, or open it with `create_if_missing`"),
    )
}
