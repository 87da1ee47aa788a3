//! Reading and writing the settings. Reads go to the leader: a push is sent once, and a copy may lag behind it.

use async_nats::HeaderMap;
use naq_connection::Connection;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{KindSetting, QueueSetting, WorkerSetting};
use crate::model::QueueName;
use crate::server::{
    Link, Stored, expect_newest, last_at_leader, persist, purge, subjects_at_leader, wrong_sequence,
};
use crate::{JobsError, JobsErrorKind};

/// The version of the records that this program writes.
const VERSION: u32 = 1;

/// Changes of others that may come in between before a change is given up.
const MAX_CONFLICTS: usize = 50;

/// Life of a worker's setting, longer than that of most workers; a worker that lives longer keeps what it has heard.
const WORKER_TTL: &str = "2592000s";

/// A setting, and its sequence: 0 if there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Versioned<T> {
    pub(crate) value: T,
    pub(crate) sequence: u64,
}

#[derive(Serialize, Deserialize)]
struct Record<T> {
    v: u32,
    #[serde(flatten)]
    value: T,
}

/// What is set for `queue`.
pub(crate) async fn read_queue(
    conn: &Connection,
    link: &Link,
    queue: &QueueName,
) -> Result<Versioned<QueueSetting>, JobsError> {
    read(conn, link, &link.names().queue_setting(queue)).await
}

/// What is set for `kind`.
pub(crate) async fn read_kind(
    conn: &Connection,
    link: &Link,
    kind: &str,
) -> Result<Versioned<KindSetting>, JobsError> {
    read(conn, link, &link.names().kind_setting(kind)).await
}

/// What is set for the worker `id`.
pub(crate) async fn read_worker(
    conn: &Connection,
    link: &Link,
    id: &str,
) -> Result<Versioned<WorkerSetting>, JobsError> {
    read(conn, link, &link.names().worker_setting(id)).await
}

/// What is set for all kinds.
pub(crate) async fn kinds(
    conn: &Connection,
    link: &Link,
) -> Result<Vec<Versioned<KindSetting>>, JobsError> {
    let (stream, filter) = (link.names().settings_stream(), link.names().kind_settings());
    let mut list = Vec::new();
    for subject in subjects_at_leader(conn, &stream, &filter).await? {
        list.push(read(conn, link, &subject).await?);
    }
    Ok(list)
}

/// Forgets what was set for the worker `id`: it has ended.
pub(crate) async fn remove_worker(
    conn: &Connection,
    link: &Link,
    id: &str,
) -> Result<(), JobsError> {
    let stream = link.names().settings_stream();
    purge(conn, &stream, &link.names().worker_setting(id))
        .await
        .map(drop)
}

async fn read<T: DeserializeOwned + Default>(
    conn: &Connection,
    link: &Link,
    subject: &str,
) -> Result<Versioned<T>, JobsError> {
    match last_at_leader(conn, &link.names().settings_stream(), subject).await? {
        Some(stored) => decode(&stored),
        None => Ok(Versioned::default()),
    }
}

fn decode<T: DeserializeOwned>(stored: &Stored) -> Result<Versioned<T>, JobsError> {
    let context = || format!("read the setting {}", stored.subject);
    let record: Record<T> = serde_json::from_slice(&stored.payload)
        .map_err(|e| JobsError::new(JobsErrorKind::Corrupt, context()).because(e))?;
    if record.v != VERSION {
        let text = format!("{}: its version is {}", context(), record.v);
        return Err(JobsError::new(JobsErrorKind::Corrupt, text));
    }
    Ok(Versioned {
        value: record.value,
        sequence: stored.sequence,
    })
}

/// Changes the setting on `subject`, again after each change of somebody else, and says what it is then. A change that
/// changes nothing writes nothing.
pub(super) async fn change<T>(
    link: &Link,
    subject: &str,
    change: impl Fn(&mut T),
) -> Result<Versioned<T>, JobsError>
where
    T: Serialize + DeserializeOwned + Default + Clone + PartialEq,
{
    let context = "change a setting";
    let deadline = Instant::now() + link.settings().nats.request_timeout * 3;
    for _ in 0..MAX_CONFLICTS {
        let found = persist(link, context, deadline, |conn| async move {
            read::<T>(&conn, link, subject).await
        });
        let found = found.await?;
        let mut value = found.value.clone();
        change(&mut value);
        if value == found.value {
            return Ok(found);
        }
        if let Some(sequence) = write(link, subject, &value, found.sequence, deadline).await? {
            return Ok(Versioned { value, sequence });
        }
    }
    Err(JobsError::new(JobsErrorKind::Conflict, context))
}

/// Writes a setting over the one with `fence`; `None` if another one is there by now.
async fn write<T: Serialize>(
    link: &Link,
    subject: &str,
    value: &T,
    fence: u64,
    deadline: Instant,
) -> Result<Option<u64>, JobsError> {
    let context = "change a setting";
    let record = Record { v: VERSION, value };
    let body = serde_json::to_vec(&record)
        .map_err(|e| JobsError::new(JobsErrorKind::Configuration, context).because(e))?;
    let body = &bytes::Bytes::from(body);
    let expires = subject.starts_with(&link.names().worker_setting(""));
    let step = move |conn: Connection| async move {
        let mut fields = HeaderMap::new();
        expect_newest(&mut fields, fence);
        if expires {
            fields.insert("Nats-TTL", WORKER_TTL);
        }
        let sent = conn.publish_acked(subject.to_owned(), fields, body.clone());
        match sent.await {
            Ok(ack) => Ok(Some(ack.sequence)),
            Err(error) if wrong_sequence(&error).is_some() => Ok(None),
            Err(error) => Err(JobsError::connection(context, error)),
        }
    };
    persist(link, context, deadline, step).await
}
