//! A consumer of one reader, that goes when its reader does.

use naq_connection::Connection;
use serde_json::{Value, json};

use super::api::{ApiError, call, refused};
use crate::{JobsError, JobsErrorKind};

/// Makes the consumer; it begins to deliver at once.
pub(crate) async fn create_reader(
    conn: &Connection,
    stream: &str,
    filter: &str,
    mut config: Value,
) -> Result<(), JobsError> {
    let name = format!("naq-reader-{:016x}", fastrand::u64(..));
    config["name"] = json!(name);
    let body = json!({ "stream_name": stream, "config": config });
    let verb = format!("CONSUMER.CREATE.{stream}.{name}.{filter}");
    match call::<Value>(conn, &verb, &body).await? {
        Ok(_) => Ok(()),
        Err(error) if error.err_code == ApiError::STREAM_NOT_FOUND => {
            let context = format!("read {filter}: its stream is gone");
            Err(JobsError::new(JobsErrorKind::Unavailable, context))
        }
        Err(error) => Err(refused(format!("read {filter}"), error)),
    }
}
