//! Makes the streams what the configuration asks for: create, compare, update, or refuse by name.

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::jetstream::stream::Config;
use naq_config::Settings;
use naq_connection::Connection;
use serde::Deserialize;
use tokio::time::Instant;

use super::api::{ApiError, call, refused};
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

/// What differs and can never be updated.
fn fixed_differences(wanted: &Config, found: &Config) -> Vec<String> {
    let mut list = Vec::new();
    if wanted.storage != found.storage {
        list.push(format!(
            "`storage` from {:?} to {:?}",
            found.storage, wanted.storage
        ));
    }
    if wanted.retention != found.retention {
        list.push(format!(
            "its retention from {:?} to {:?}",
            found.retention, wanted.retention
        ));
    }
    if wanted.allow_message_schedules && !found.allow_message_schedules {
        list.push("a stream without message schedules into one with them".to_owned());
    }
    let forbidden = [
        (found.sealed, "that it is sealed"),
        (found.deny_delete, "that it denies deleting messages"),
        (found.deny_purge, "that it denies purging"),
        (found.mirror.is_some(), "that it mirrors another stream"),
    ];
    list.extend(
        forbidden
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, what)| (*what).to_owned()),
    );
    list
}

/// What differs, as texts for the log.
fn differences(found: &Config, merged: &Config) -> Vec<String> {
    let fields = |config| match serde_json::to_value(config) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (old, new) = (fields(found), fields(merged));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let text =
        |value: Option<&serde_json::Value>| value.map_or("none".to_owned(), |v| v.to_string());
    names
        .into_iter()
        .map(|name| (name, old.get(name), new.get(name)))
        .filter(|(_, old, new)| old != new)
        .map(|(name, old, new)| format!("{name}: {} -> {}", text(old), text(new)))
        .collect()
}

/// The found configuration with our keys in it.
fn merge(wanted: &Config, found: &Config) -> Config {
    Config {
        subjects: together(&wanted.subjects, &found.subjects),
        num_replicas: wanted.num_replicas,
        max_age: wanted.max_age,
        max_bytes: wanted.max_bytes,
        max_messages: wanted.max_messages,
        max_message_size: wanted.max_message_size,
        discard: wanted.discard,
        discard_new_per_subject: wanted.discard_new_per_subject,
        no_ack: wanted.no_ack,
        allow_rollup: wanted.allow_rollup,
        max_messages_per_subject: wanted.max_messages_per_subject,
        max_consumers: wanted.max_consumers,
        allow_direct: wanted.allow_direct,
        allow_message_ttl: wanted.allow_message_ttl,
        allow_atomic_publish: wanted.allow_atomic_publish,
        duplicate_window: wanted.duplicate_window,
        ..found.clone()
    }
}

/// What either has. A newer version may have added subjects, and its workers run beside this one.
fn together(wanted: &[String], found: &[String]) -> Vec<String> {
    let is_new = |subject: &&String| !wanted.iter().any(|ours| overlap(ours, subject));
    let more = found.iter().filter(is_new);
    wanted.iter().chain(more).cloned().collect()
}

/// Whether there is a subject that both filters match.
fn overlap(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        match (one.next(), other.next()) {
            (None, None) => return true,
            (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
            (Some(a), Some(b)) if a == b || a == "*" || b == "*" => {}
            _ => return false,
        }
    }
}

/// The refusal, with the key to blame where the server's code tells it.
fn impossible(wanted: &Config, error: ApiError) -> JobsError {
    let name = &wanted.name;
    match error.err_code {
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

#[derive(Deserialize)]
struct Purged {
    #[serde(default)]
    purged: u64,
}

/// Removes all messages on `filter`; says how many there were.
pub(crate) async fn purge(conn: &Connection, stream: &str, filter: &str) -> Result<u64, JobsError> {
    purge_with(conn, stream, &serde_json::json!({ "filter": filter })).await
}

/// Removes the messages on `filter` that come before `sequence`; says how many there were.
pub(crate) async fn purge_before(
    conn: &Connection,
    stream: &str,
    filter: &str,
    sequence: u64,
) -> Result<u64, JobsError> {
    let body = serde_json::json!({ "filter": filter, "seq": sequence });
    purge_with(conn, stream, &body).await
}

async fn purge_with(
    conn: &Connection,
    stream: &str,
    body: &serde_json::Value,
) -> Result<u64, JobsError> {
    call::<Purged>(conn, &format!("STREAM.PURGE.{stream}"), body)
        .await?
        .map(|done| done.purged)
        .map_err(|e| refused(format!("remove messages of the stream {stream}"), e))
}

#[derive(Deserialize)]
struct Deleted {
    #[serde(default)]
    success: bool,
}

/// Removes one message; `false` if it was gone already.
pub(crate) async fn delete_sequence(
    conn: &Connection,
    stream: &str,
    sequence: u64,
) -> Result<bool, JobsError> {
    let body = serde_json::json!({ "seq": sequence, "no_erase": true });
    match call::<Deleted>(conn, &format!("STREAM.MSG.DELETE.{stream}"), &body).await? {
        Ok(done) => Ok(done.success),
        // 10043: no message with that sequence; 10057: the removal failed, also since it has gone at this very moment.
        Err(error) if error.err_code == 10043 || error.code == 404 => Ok(false),
        Err(error) if error.err_code == 10057 && error.description == "no message found" => {
            Ok(false)
        }
        Err(error) => Err(refused(
            format!("remove a message of the stream {stream}"),
            error,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_of_a_newer_version_stay() {
        let wanted = definition::streams(&Names::new("naq"), &Settings::default()).remove(0);
        let mut found = wanted.clone();
        found.subjects.retain(|subject| subject != "naq.high.*.*");
        found.subjects.push("naq.later.*.*".to_owned());
        let merged = merge(&wanted, &found).subjects;
        assert!(merged.contains(&"naq.later.*.*".to_owned()));
        assert_eq!(merged.len(), wanted.subjects.len() + 1, "{merged:?}");
        // What lies over a subject of this version cannot stay beside it.
        found.subjects.push("naq.queue.>".to_owned());
        assert_eq!(merge(&wanted, &found).subjects, merged);
        assert!(overlap("a.*.c", "a.b.>") && !overlap("a.*", "a.b.c") && !overlap("a.b", "a.c"));
    }

    #[test]
    fn what_the_server_cannot_change_is_named() {
        let wanted = definition::streams(&Names::new("naq"), &Settings::default()).remove(0);
        let mut found = wanted.clone();
        found.num_replicas = 3;
        let merged = merge(&wanted, &found);
        assert_eq!(differences(&found, &merged), ["num_replicas: 3 -> 1"]);
        assert!(differences(&merged, &merged).is_empty());
        // Somebody's limit that would drop jobs is taken away again.
        found.max_messages = 10;
        let texts = differences(&found, &merge(&wanted, &found));
        assert_eq!(texts, ["max_msgs: 10 -> -1", "num_replicas: 3 -> 1"]);
        assert!(fixed_differences(&wanted, &found).is_empty());
        found.storage = async_nats::jetstream::stream::StorageType::Memory;
        assert_eq!(
            fixed_differences(&wanted, &found),
            ["`storage` from Memory to File"]
        );
    }
}
