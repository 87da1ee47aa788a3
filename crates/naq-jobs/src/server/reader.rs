//! A consumer of one reader, that goes when its reader does.

use naq_connection::Connection;
use serde_json::{Value, json};

use super::api::{ApiError, call, refused};
use crate::{JobsError, JobsErrorKind};

/// Makes the consumer; it begins to deliver at once. Says its name.
pub(crate) async fn create_reader(
    conn: &Connection,
    stream: &str,
    filter: &str,
    mut config: Value,
) -> Result<String, JobsError> {
    let name = format!("naq-reader-{:016x}", fastrand::u64(..));
    config["name"] = json!(name);
    let body = json!({ "stream_name": stream, "config": config });
    let verb = format!("CONSUMER.CREATE.{stream}.{name}.{filter}");
    match call::<Value>(conn, &verb, &body).await? {
        Ok(_) => Ok(name),
        Err(error) if error.err_code == ApiError::STREAM_NOT_FOUND => {
            let context = format!("read {filter}: its stream is gone");
            Err(JobsError::new(JobsErrorKind::Unavailable, context))
        }
        Err(error) => Err(refused(format!("read {filter}"), error)),
    }
}

/// Nobody reads any more. The server is told and not asked: it would find out by itself, but many may come and go.
pub(crate) async fn leave_reader(conn: &Connection, stream: &str, name: &str) {
    let call = format!("$JS.API.CONSUMER.DELETE.{stream}.{name}");
    if let Err(error) = conn.publish(call, "").await {
        tracing::debug!(%error, "a reader is left to expire");
    }
}
