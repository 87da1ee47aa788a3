//! Any number of jobs, in chunks that are stored whole, each with the place that it leads to.
//!
//! ```text
//!   chunk ──► one batch: jobs + cursor ── stored ─────────────────────────────► next chunk
//!               ▲                      ├─ refused, cursor unchanged, one job ──► told of this job, next chunk
//!               │                      ├─ refused, cursor unchanged ──► halved ─┐
//!               │                      └─ refused, cursor of another ──► error  │
//!               └───────────────────────────────────────────────────────────────┘
//! ```

use std::collections::VecDeque;

use naq_connection::Connection;
use tokio::time::Instant;

use super::cursor::{Cursor, Seen};
use super::together::{twins, writes};
use crate::enqueue::JobHandle;
use crate::enqueue::one::{Landed, deliver, prepare_large};
use crate::enqueue::prepared::{Prepared, check_size};
use crate::model::{Job, JobId, Landing};
use crate::results::Results;
use crate::server::{BatchEnd, Link, MAX_BATCH, persist, store_batch};
use crate::traces::Sending;
use crate::{JobsError, JobsErrorKind};

/// Many jobs under one name, with a place that is stored together with them: who goes on after a crash goes on exactly
/// behind the last job that is in. See [`crate::Jobs::bulk`].
///
/// ```no_run
/// # async fn example(jobs: naq_jobs::Jobs, rows: Vec<naq_jobs::Job>) -> Result<(), naq_jobs::JobsError> {
/// let mut bulk = jobs.bulk("import-2030-01").await?;
/// let rest = rows.into_iter().skip(bulk.position());
/// for answer in bulk.push(rest).await? {
///     if let Err(refused) = answer {
///         eprintln!("{refused}");
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Bulk {
    link: Link,
    cursor: Cursor,
}

type Answer = Result<Landed, JobsError>;

/// A job of the list, or what was said about it before it was sent.
struct Entry {
    job: Option<Prepared>,
    answer: Option<Answer>,
}

impl Bulk {
    pub(crate) async fn open(link: Link, name: &str) -> Result<Self, JobsError> {
        let deadline = Instant::now() + link.settings().nats.request_timeout * 3;
        let here = &link;
        let cursor = persist(
            here,
            "read the place of a bulk",
            deadline,
            move |conn| async move { Cursor::read(here, &conn, name).await },
        )
        .await?;
        Ok(Self { link, cursor })
    }

    /// Jobs of the list that are in, or were refused: go on behind them.
    pub fn position(&self) -> usize {
        usize::try_from(self.cursor.next).unwrap_or(usize::MAX)
    }

    /// Enqueues jobs behind [`Self::position`], in chunks that are stored whole or not at all. A job without an id gets
    /// `<name>-<place>`. One answer for each, in their order: a job that cannot be stored does not stop the others; of one
    /// that is there already (its id is known, its key is taken) the handle says so.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] and [`JobsErrorKind::OutcomeUnknown`] when a chunk could not be stored:
    /// [`Self::position`] says which are in, and `push` may be called again with the others. [`JobsErrorKind::Conflict`]
    /// when somebody else enqueues under the same name: open it again.
    ///
    /// # Cancel safety
    /// If the future is dropped, open the bulk again: the server knows the place.
    pub async fn push<R>(
        &mut self,
        jobs: impl IntoIterator<Item = Job<R>>,
    ) -> Result<Vec<Result<JobHandle<R>, JobsError>>, JobsError> {
        let sending = Sending::many();
        let jobs = jobs.into_iter().map(|mut job| {
            sending.stamp(&mut job.headers);
            job
        });
        let pushed = self.push_all(jobs).await;
        let count = pushed.as_ref().map_or(0, Vec::len);
        sending.landed_many(count, pushed.as_ref().err());
        pushed
    }

    async fn push_all<R>(
        &mut self,
        jobs: impl Iterator<Item = Job<R>>,
    ) -> Result<Vec<Result<JobHandle<R>, JobsError>>, JobsError> {
        let results = Results::new(self.link.clone());
        let mut handles = Vec::new();
        let mut jobs = jobs.peekable();
        while jobs.peek().is_some() {
            let mut chunk = Vec::new();
            let mut size = 1;
            while size + 2 <= MAX_BATCH
                && let Some(job) = jobs.next()
            {
                let entry = self.entry(job, chunk.len()).await;
                if let Some(job) = &entry.job {
                    job.use_level(&self.link).await?;
                }
                size += entry
                    .job
                    .as_ref()
                    .map_or(0, |job| job.writes(&self.link, 0).len());
                chunk.push(entry);
            }
            let answers = self.store(chunk).await?;
            handles.extend(
                answers
                    .into_iter()
                    .map(|answer| Ok(JobHandle::new(answer?, results.clone()))),
            );
        }
        Ok(handles)
    }

    async fn entry<R>(&self, mut job: Job<R>, offset: usize) -> Entry {
        if job.id.is_none() {
            let place = self.position() + offset;
            job.id = JobId::new(format!("{}-{place}", self.cursor.name())).ok();
        }
        match Box::pin(prepare_large(&self.link, job)).await {
            Ok(job) => Entry {
                job: Some(job),
                answer: None,
            },
            Err(error) => Entry {
                job: None,
                answer: Some(Err(error)),
            },
        }
    }

    /// Stores a chunk; halves it as long as a job of it stands in the way.
    async fn store(&mut self, mut chunk: Vec<Entry>) -> Result<Vec<Answer>, JobsError> {
        let first = self.cursor.next;
        let mut parts = VecDeque::from([(0, chunk.len())]);
        while let Some((from, to)) = parts.pop_front() {
            if self.store_part(&mut chunk[from..to], first, to).await? {
                continue;
            }
            if to - from == 1 {
                let entry = &mut chunk[from];
                if let Some(job) = entry.job.take() {
                    entry.answer = Some(self.alone(job).await);
                }
                parts.push_front((from, to));
                continue;
            }
            let middle = from + (to - from) / 2;
            parts.push_front((middle, to));
            parts.push_front((from, middle));
        }
        let answers = chunk
            .into_iter()
            .map(|entry| match (entry.answer, entry.job) {
                (Some(answer), _) => answer,
                (None, Some(job)) => {
                    job.tell(&self.link);
                    Ok(Landed::new(job.id))
                }
                (None, None) => Err(JobsError::new(JobsErrorKind::Conflict, "enqueue a job")),
            });
        Ok(answers.collect())
    }

    /// Stores a part with the cursor behind it; `false` if a job stands in the way.
    async fn store_part(
        &mut self,
        part: &mut [Entry],
        first: u64,
        to: usize,
    ) -> Result<bool, JobsError> {
        let link = self.link.clone();
        let context = "enqueue a chunk of a bulk";
        let conn = link.lease(context).await?;
        for entry in part.iter_mut() {
            if let Some(job) = &entry.job
                && let Err(error) = check_size(&conn, job)
            {
                entry.job = None;
                entry.answer = Some(Err(error));
            }
        }
        drop(conn);
        let jobs: Vec<&Prepared> = part.iter().filter_map(|entry| entry.job.as_ref()).collect();
        if jobs.len() > 1 && twins(&link, jobs.iter().copied()).is_some() {
            return Ok(false);
        }
        let next = first + u64::try_from(to).unwrap_or(u64::MAX);
        let written = self.cursor.moved_to(next);
        let deadline = Instant::now() + link.settings().nats.request_timeout * 3;
        let (cursor, sent, jobs, here) = (&self.cursor, &written, &jobs, &link);
        let seen = persist(here, context, deadline, move |conn| async move {
            send(here, &conn, context, jobs, cursor, sent).await
        })
        .await?;
        match seen {
            Seen::Ours(cursor) => {
                self.cursor = cursor;
                Ok(true)
            }
            Seen::Unchanged => Ok(false),
            Seen::Other => Err(JobsError::new(
                JobsErrorKind::Conflict,
                format!(
                    "{context}: somebody else enqueues as {} at the moment; open it again",
                    self.cursor.name()
                ),
            )),
        }
    }

    /// A job that was refused with its chunk: by itself it is told why.
    async fn alone(&self, job: Prepared) -> Answer {
        let (id, is_unique) = (job.id.clone(), job.unique.is_some());
        let landed = deliver(&self.link, job).await?;
        // A plain job is refused only because its id is known, and that is answered as if it were new.
        Ok(if is_unique {
            landed
        } else {
            Landed {
                id,
                landing: Landing::Existing,
            }
        })
    }
}

/// Sends a batch; whose the cursor is afterwards says what became of it, also if an answer was lost.
async fn send(
    link: &Link,
    conn: &Connection,
    context: &str,
    jobs: &[&Prepared],
    cursor: &Cursor,
    written: &Cursor,
) -> Result<Seen, JobsError> {
    let mut batch = writes(link, jobs.iter().copied());
    batch.push(written.write(link));
    match store_batch(conn, context, batch).await? {
        BatchEnd::Stored | BatchEnd::Conflict | BatchEnd::Duplicate => {
            cursor.look(link, conn, written).await
        }
    }
}
