//! Makes the streams what the configuration asks for: create, compare, update, or refuse by name.

use std::time::Duration;

use async_nats::jetstream::stream::Config;
use naq_config::Settings;
use naq_connection::Connection;
use serde::Deserialize;
use tokio::time::Instant;

use super::api::{ApiError, call, refused};
use super::stream_changes::{differences, fixed_differences, merge};
use super::{Link, definition, feature};
use crate::wire::Names;
use crate::{JobsError, JobsErrorKind};

#[derive(Deserialize)]
struct StreamInfo {
    config: Config,
}

/// Makes the bucket of large payloads, if it is not there.
pub(crate) async fn ensure_payloads(link: &Link, conn: &Connection) -> Result<(), JobsError> {
    ensure(conn, &definition::payloads(link.names(), link.settings())).await
}

/// Whether there is a stream of this name.
pub(crate) async fn exists(conn: &Connection, name: &str) -> Result<bool, JobsError> {
    match call::<StreamInfo>(conn, &format!("STREAM.INFO.{name}"), &()).await? {
        Ok(_) => Ok(true),
        Err(error) if error.err_code == ApiError::STREAM_NOT_FOUND => Ok(false),
        Err(error) => Err(refused(format!("look at the stream {name}"), error)),
    }
}

/// Whether the stream is on more than one node.
pub(crate) async fn is_replicated(conn: &Connection, name: &str) -> Result<bool, JobsError> {
    match call::<StreamInfo>(conn, &format!("STREAM.INFO.{name}"), &()).await? {
        Ok(found) => Ok(found.config.num_replicas > 1),
        Err(error) if error.err_code == ApiError::STREAM_NOT_FOUND => Ok(false),
        Err(error) => Err(refused(format!("look at the stream {name}"), error)),
    }
}

/// Time between two attempts to make vanished streams again.
const REPAIR_EVERY: Duration = Duration::from_secs(1);

/// Creates what is missing and updates what differs. Safe to run from many processes at once.
pub(crate) async fn ensure_streams(link: &Link) -> Result<(), JobsError> {
    let conn = link.lease("prepare the streams").await?;
    feature::check_server(&conn).await?;
    for wanted in definition::streams(link.names(), link.settings()) {
        ensure(&conn, &wanted).await?;
    }
    Ok(())
}

/// Makes streams again that have vanished: deleted by somebody, or kept in the memory of a server that was restarted.
/// Many may ask at once, one does it, and not more often than each second.
pub(crate) async fn repair_streams(link: &Link) -> Result<(), JobsError> {
    let mut repaired = link.repaired().await;
    if repaired.is_some_and(|at| at.elapsed() < REPAIR_EVERY) {
        return Ok(());
    }
    let result = ensure_streams(link).await;
    *repaired = Some(Instant::now());
    result
}

/// Makes the streams of events and counters; as [`ensure_streams`].
pub(crate) async fn ensure_event_streams(
    conn: &Connection,
    names: &Names,
    settings: &Settings,
) -> Result<(), JobsError> {
    for wanted in definition::event_streams(names, settings) {
        ensure(conn, &wanted).await?;
    }
    Ok(())
}

async fn ensure(conn: &Connection, wanted: &Config) -> Result<(), JobsError> {
    let name = &wanted.name;
    match call::<StreamInfo>(conn, &format!("STREAM.INFO.{name}"), &()).await? {
        Ok(found) => update(conn, wanted, &found.config).await,
        Err(error) if error.err_code == ApiError::STREAM_NOT_FOUND => create(conn, wanted).await,
        Err(error) if error.err_code == ApiError::NOT_ENABLED_FOR_ACCOUNT => {
            Err(feature::without_jetstream("this account"))
        }
        Err(error) => Err(refused(format!("look at the stream {name}"), error)),
    }
}

async fn create(conn: &Connection, wanted: &Config) -> Result<(), JobsError> {
    let name = &wanted.name;
    match call::<StreamInfo>(conn, &format!("STREAM.CREATE.{name}"), wanted).await? {
        Ok(_) => {
            tracing::info!(stream = name, "stream created");
            Ok(())
        }
        // Somebody else was faster, with other settings: compare with what is there now.
        Err(error) if error.err_code == ApiError::STREAM_NAME_IN_USE => {
            let found = call::<StreamInfo>(conn, &format!("STREAM.INFO.{name}"), &()).await?;
            let found = found.map_err(|e| refused(format!("look at the stream {name}"), e))?;
            update(conn, wanted, &found.config).await
        }
        Err(error) => Err(impossible(wanted, error)),
    }
}

async fn update(conn: &Connection, wanted: &Config, found: &Config) -> Result<(), JobsError> {
    let name = &wanted.name;
    let fixed = fixed_differences(wanted, found);
    if !fixed.is_empty() {
        return Err(JobsError::new(
            JobsErrorKind::Configuration,
            format!(
                "use the existing stream {name}: the server cannot change {}. Set the key back, or \
                 choose another `queues.prefix`, or move the jobs and delete the stream",
                fixed.join(" and ")
            ),
        ));
    }
    // What others may have set on the stream and we have no key for (placement, metadata...) stays as it is.
    let merged = merge(wanted, found);
    let changes = differences(found, &merged);
    if changes.is_empty() {
        return Ok(());
    }
    match call::<StreamInfo>(conn, &format!("STREAM.UPDATE.{name}"), &merged).await? {
        Ok(_) => {
            tracing::info!(
                stream = name,
                changes = changes.join(", "),
                "stream updated"
            );
            Ok(())
        }
        Err(error) => Err(impossible(wanted, error)),
    }
}

/// The refusal, with the key to blame where the server's code tells it.
fn impossible(wanted: &Config, error: ApiError) -> JobsError {
    let name = &wanted.name;
    match error.err_code {
        // Also of a cluster that has only just started, as its leader has not heard of all nodes yet.
        ApiError::NO_SUITABLE_PEERS if error.description.contains("offline") => JobsError::new(
            JobsErrorKind::Unavailable,
            format!("make the stream {name}: a node of the cluster is away"),
        )
        .because(error),
        ApiError::REPLICAS_NOT_SUPPORTED | ApiError::NO_SUITABLE_PEERS => JobsError::new(
            JobsErrorKind::Configuration,
            format!(
                "keep {} replicas of the stream {name} (`queues.replicas`, `results.replicas`): the \
                 server has not that many nodes. Set it to 1, or point `nats.servers` at a cluster",
                wanted.num_replicas
            ),
        )
        .because(error),
        _ => refused(format!("make the stream {name}"), error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_is_away_is_waited_for_and_too_few_are_not() {
        let refusal = |description: &str| {
            let error = ApiError {
                code: 400,
                err_code: ApiError::NO_SUITABLE_PEERS,
                description: description.to_owned(),
            };
            impossible(&Config::default(), error)
        };
        let away = refusal("no suitable peers for placement, peer offline");
        assert!(away.is_transient(), "{away}");
        let few = refusal("no suitable peers for placement");
        assert_eq!(few.kind(), JobsErrorKind::Configuration);
    }
}
