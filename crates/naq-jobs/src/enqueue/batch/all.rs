//! A list of jobs, all or none.

use std::sync::atomic::{AtomicBool, Ordering};

use naq_connection::Connection;
use tokio::time::Instant;

use super::together::{is_there, twins, writes};
use crate::enqueue::one::{Landed, prepare_large, withdraw};
use crate::enqueue::prepared::{Prepared, check_size};
use crate::model::Job;
use crate::server::{BatchEnd, Link, MAX_BATCH, persist, store_batch};
use crate::traces::Sending;
use crate::{JobsError, JobsErrorKind};

/// Jobs that are named in an error at the most.
const NAMED: usize = 5;

/// Stores all of the jobs or none, in their order.
pub(crate) async fn enqueue_all<R>(
    link: &Link,
    jobs: impl IntoIterator<Item = Job<R>>,
) -> Result<Vec<Landed>, JobsError> {
    let mut prepared = Vec::new();
    let mut failed = None;
    let sending = Sending::many();
    for mut job in jobs {
        sending.stamp(&mut job.headers);
        match Box::pin(prepare_large(link, job)).await {
            Ok(job) => prepared.push(job),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    let stored = match failed {
        None => store(link, &prepared).await,
        Some(error) => Err(error),
    };
    if let Err(error) = &stored
        && !error.is_transient()
    {
        for reference in prepared.iter().filter_map(|job| job.payload_ref.as_ref()) {
            withdraw(link, reference).await;
        }
    }
    sending.landed_many(prepared.len(), stored.as_ref().err());
    stored?;
    Ok(prepared
        .into_iter()
        .map(|job| Landed::new(job.id))
        .collect())
}

async fn store(link: &Link, jobs: &[Prepared]) -> Result<(), JobsError> {
    let context = format!("enqueue {} jobs together", jobs.len());
    let messages = writes(link, jobs).len();
    if messages > MAX_BATCH {
        let text = format!(
            "{context}: they are {messages} messages, the server takes {MAX_BATCH} in one batch. For more, \
             `Jobs::bulk` stores them in chunks"
        );
        return Err(JobsError::new(JobsErrorKind::TooLarge, text));
    }
    if let Some((first, second)) = twins(link, jobs) {
        let (first, second) = (&jobs[first].id, &jobs[second].id);
        let text = format!("{context}: {first} and {second} have the same id or key");
        return Err(JobsError::new(JobsErrorKind::AlreadyExists, text));
    }
    for job in jobs {
        job.use_level(link).await?;
    }
    let deadline = Instant::now() + link.settings().nats.request_timeout * 3;
    let context = &context;
    let is_in_doubt = &AtomicBool::new(false);
    persist(link, context, deadline, move |conn| async move {
        once(link, &conn, context, jobs, is_in_doubt).await
    })
    .await?;
    jobs.iter().for_each(|job| job.tell(link));
    Ok(())
}

async fn once(
    link: &Link,
    conn: &Connection,
    context: &str,
    jobs: &[Prepared],
    is_in_doubt: &AtomicBool,
) -> Result<(), JobsError> {
    for job in jobs {
        check_size(conn, job)?;
    }
    match store_batch(conn, context, writes(link, jobs)).await {
        Ok(BatchEnd::Stored) => return Ok(()),
        Ok(BatchEnd::Conflict | BatchEnd::Duplicate) => {}
        Err(error) => {
            if error.kind() == JobsErrorKind::OutcomeUnknown {
                is_in_doubt.store(true, Ordering::Relaxed);
            }
            return Err(error);
        }
    }
    let mut there = Vec::new();
    for job in jobs {
        if is_there(link, conn, job).await? {
            there.push(job.id.as_str());
        }
    }
    // An answer was lost, and all of them are there: that was this batch.
    if is_in_doubt.load(Ordering::Relaxed) && there.len() == jobs.len() {
        return Ok(());
    }
    let count = there.len();
    let named = there.iter().take(NAMED).copied().collect::<Vec<_>>();
    let text = match count {
        0 => "one of them was enqueued in the last two minutes and has ended".to_owned(),
        _ if count > NAMED => format!("{} and {} more are there", named.join(", "), count - NAMED),
        _ => format!("there already: {}", named.join(", ")),
    };
    let text = format!("{context}, of which none was: {text}");
    Err(JobsError::new(JobsErrorKind::AlreadyExists, text))
}
