//! From a wanted configuration to the server's: create, compare, update, or refuse.

use async_nats::jetstream::stream::Config;
use serde_json::Value;

use super::api::{call, is_code, stream_info};
use super::compare::compare;
use crate::error::Change;
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::lease::Connection;

/// Somebody made a stream of this name with other settings.
const STREAM_NAME_IN_USE: u64 = 10058;
/// The server can't have a stream of these settings, or not make it of the one that is there.
const STREAM_INVALID_CONFIG: u64 = 10052;

/// What had to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ensured {
    /// It was not there.
    Created,
    /// It was there, and as wanted.
    Unchanged,
    /// It was there, and these fields were not as wanted.
    Updated {
        /// What was changed.
        changes: Vec<Change>,
    },
}

/// Safe to run from many processes at once: those who come second compare with what the first made.
pub(crate) async fn ensure(
    connection: &Connection,
    wanted: &Config,
) -> Result<Ensured, ConnectionError> {
    let name = &wanted.name;
    if let Some(info) = stream_info(connection, name).await? {
        return update(connection, wanted, &info["config"]).await;
    }
    if create(connection, wanted).await? {
        return Ok(Ensured::Created);
    }
    match stream_info(connection, name).await? {
        Some(info) => update(connection, wanted, &info["config"]).await,
        None => Err(ConnectionError::new(
            ConnectionErrorKind::NotFound,
            format!("stream `{name}` was deleted while it was being made"),
        )),
    }
}

/// `false` if there is one of this name, with other settings.
pub(crate) async fn create(
    connection: &Connection,
    wanted: &Config,
) -> Result<bool, ConnectionError> {
    let name = &wanted.name;
    match call::<Value>(connection, &format!("STREAM.CREATE.{name}"), Some(wanted)).await {
        Ok(_) => {
            tracing::info!(stream = name, "stream created");
            Ok(true)
        }
        Err(error) if is_code(&error, STREAM_NAME_IN_USE) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn update(
    connection: &Connection,
    wanted: &Config,
    found: &Value,
) -> Result<Ensured, ConnectionError> {
    let name = &wanted.name;
    let comparison = compare(wanted, found);
    if !comparison.fixed.is_empty() {
        return Err(incompatible(name, comparison.fixed, None));
    }
    let changes = comparison.changes;
    if changes.is_empty() {
        return Ok(Ensured::Unchanged);
    }
    let verb = format!("STREAM.UPDATE.{name}");
    match call::<Value>(connection, &verb, Some(&comparison.update)).await {
        Ok(_) => {
            tracing::info!(stream = name, changes = listed(&changes), "stream updated");
            Ok(Ensured::Updated { changes })
        }
        Err(error) if is_code(&error, STREAM_INVALID_CONFIG) => {
            Err(incompatible(name, changes, Some(error)))
        }
        Err(error) => Err(error),
    }
}

fn incompatible(
    name: &str,
    changes: Vec<Change>,
    cause: Option<ConnectionError>,
) -> ConnectionError {
    let context = format!(
        "the server can't change stream `{name}`: {}. Ask for what is there, or use another name, \
         or copy what is in it and delete it",
        listed(&changes)
    );
    let kind = ConnectionErrorKind::Incompatible { changes };
    match cause {
        Some(cause) => ConnectionError::with_source(kind, format!("{context} ({cause})"), cause),
        None => ConnectionError::new(kind, context),
    }
}

fn listed(changes: &[Change]) -> String {
    let all: Vec<_> = changes.iter().map(Change::to_string).collect();
    all.join(", ")
}
