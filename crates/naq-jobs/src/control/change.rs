//! Changes a setting: writes it, applies it at the server, pushes it.

use naq_connection::Connection;
use tokio::time::Instant;

use super::hear::{News, Pushed};
use super::pause::{apply_pause, terms};
use super::store::{Versioned, change, read_queue};
use super::{KindSetting, Paused, QueueSetting, WorkerSetting};
use crate::model::{KindName, Priority, QueueName};
use crate::server::{Link, ensure_consumer, has_consumer, now_ms, persist};
use crate::{JobsError, JobsErrorKind};

/// Changes what is set for a queue. Also tells again what was set before, so that a caller who got no answer may repeat it.
pub(super) async fn change_queue(
    link: &Link,
    queue: &QueueName,
    edit: impl Fn(&mut QueueSetting),
) -> Result<QueueSetting, JobsError> {
    let subject = link.names().queue_setting(queue);
    let versioned = change(link, &subject, edit).await?;
    let deadline = Instant::now() + link.settings().nats.request_timeout * 3;
    let versioned = &versioned;
    let applied = persist(link, "apply a setting", deadline, |conn| async move {
        apply(&conn, link, queue, versioned.clone()).await
    });
    let applied = applied.await?;
    push(
        link,
        link.names().control(queue),
        News::Queue(applied.clone().into()),
    )
    .await?;
    Ok(applied.value)
}

/// Makes the server do what the setting says. A queue without a consumer gets it with its first worker.
async fn apply(
    conn: &Connection,
    link: &Link,
    queue: &QueueName,
    setting: Versioned<QueueSetting>,
) -> Result<Versioned<QueueSetting>, JobsError> {
    let terms = terms(link, queue, &setting.value);
    for priority in Priority::ALL {
        let is_there = has_consumer(conn, link, (queue, priority)).await?;
        if is_there || setting.value.levels.contains(&priority) {
            ensure_consumer(conn, link, (queue, priority), terms).await?;
        }
    }
    apply_pause(conn, link, queue, setting).await
}

/// Sees to it that jobs of this priority are consumed. Once in a process, and for the normal priority never, it costs
/// messages.
pub(crate) async fn use_level(
    link: &Link,
    queue: &QueueName,
    priority: Priority,
) -> Result<(), JobsError> {
    if priority == Priority::Normal || link.knows_level(queue, priority) {
        return Ok(());
    }
    let conn = link.lease("prepare a priority").await?;
    if !read_queue(&conn, link, queue)
        .await?
        .value
        .levels
        .contains(&priority)
    {
        change_queue(link, queue, |setting| {
            setting.levels.insert(priority);
        })
        .await?;
    }
    link.note_level(queue.clone(), priority);
    Ok(())
}

/// Changes what is set for a kind.
pub(super) async fn change_kind(
    link: &Link,
    kind: &KindName,
    edit: impl Fn(&mut KindSetting),
) -> Result<KindSetting, JobsError> {
    let (subject, told) = (
        link.names().kind_setting(kind.as_str()),
        link.names().control_kind(kind.as_str()),
    );
    let name = kind.to_string();
    let edit = move |setting: &mut KindSetting| {
        setting.kind.clone_from(&name);
        edit(setting);
    };
    let versioned = change(link, &subject, edit).await?;
    push(link, told, News::Kind(versioned.clone().into())).await?;
    Ok(versioned.value)
}

/// Changes what is set for a worker.
pub(super) async fn change_worker(
    link: &Link,
    id: &str,
    edit: impl Fn(&mut WorkerSetting),
) -> Result<WorkerSetting, JobsError> {
    let subject = link.names().worker_setting(id);
    let versioned = change(link, &subject, edit).await?;
    let told = link.names().control_worker(id);
    push(link, told, News::Worker(Pushed::from(versioned.clone()))).await?;
    Ok(versioned.value)
}

/// Tells the workers, and waits until the server knows.
pub(crate) async fn push(link: &Link, subject: String, news: News) -> Result<(), JobsError> {
    let context = "tell the workers";
    let failed = |e| JobsError::connection(context, e);
    let body = serde_json::to_vec(&news)
        .map_err(|e| JobsError::new(JobsErrorKind::Configuration, context).because(e))?;
    let conn = link.lease(context).await?;
    conn.publish(subject, body).await.map_err(failed)?;
    conn.flush_confirmed().await.map_err(failed)
}

/// The mark of a pause that begins now.
pub(super) fn pause(by: Option<&str>, reason: Option<&str>) -> Paused {
    Paused {
        since_ms: now_ms(),
        reason: reason.map(str::to_owned),
        by: by.map(str::to_owned),
    }
}
