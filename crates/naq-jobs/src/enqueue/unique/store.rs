//! Stores a unique job, or finds the one that is there.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_nats::jetstream::publish::PublishAck;
use naq_connection::Connection;
use tokio::time::Instant;

use super::decide::{Found, Step, decide};
use super::late::stands;
use super::look::look;
use super::messages::UniquePlan;
use crate::enqueue::one::{Landed, withdraw};
use crate::enqueue::prepared::{Prepared, check_size};
use crate::model::Landing;
use crate::server::{BatchEnd, Link, Write, delete_older, persist, store_batch, wrong_sequence};
use crate::wire::Place;
use crate::{JobsError, JobsErrorKind, failpoint};

const CONTEXT: &str = "enqueue a unique job";

/// Rounds of one try in which somebody else may come first.
const ROUNDS: usize = 64;

/// Sends a prepared job until it is decided, at most for three request timeouts.
pub(in crate::enqueue) async fn store(
    link: &Link,
    job: &Prepared,
    plan: &UniquePlan,
) -> Result<Landed, JobsError> {
    let deadline = Instant::now() + link.settings().nats.request_timeout * 3;
    let call = &Call {
        link,
        job,
        plan,
        is_in_doubt: AtomicBool::new(false),
        taken_along: AtomicU32::new(0),
        is_replacing: AtomicBool::new(false),
    };
    persist(link, CONTEXT, deadline, move |conn| async move {
        call.once(&conn).await
    })
    .await
}

struct Call<'a> {
    link: &'a Link,
    job: &'a Prepared,
    plan: &'a UniquePlan,
    /// An answer was lost: what is there may be what was sent.
    is_in_doubt: AtomicBool,
    /// Replacements that a firing has taken along.
    taken_along: AtomicU32,
    /// A replacement was sent: what it replaces may still be there.
    is_replacing: AtomicBool,
}

impl Call<'_> {
    /// The chart of the module, over one connection.
    async fn once(&self, conn: &Connection) -> Result<Landed, JobsError> {
        check_size(conn, self.job)?;
        let mut expected = 0;
        for _ in 0..ROUNDS {
            if let Some(landed) = self.put_new(conn, expected).await? {
                return Ok(landed);
            }
            let Some(found) = look(self.link, conn, self.plan).await? else {
                expected = 0;
                continue;
            };
            if self.is_replacing.load(Ordering::Relaxed) {
                self.leave_newest(conn, &found, found.sequence).await?;
            }
            if found.id == self.job.id && self.is_in_doubt.load(Ordering::Relaxed) {
                return Ok(self.landed(Landing::New, &found));
            }
            match decide(self.plan.policy, &found) {
                Step::Leave => return Ok(self.landed(Landing::Existing, &found)),
                Step::Beside => expected = found.sequence,
                Step::Replace => {
                    if self.replace(conn, &found).await? {
                        if let Some(replaced) = &found.payload_ref {
                            Box::pin(withdraw(self.link, replaced)).await;
                        }
                        return Ok(self.landed(Landing::Replaced, &found));
                    }
                    expected = 0;
                }
            }
        }
        // Somebody else came first each time.
        Err(JobsError::new(JobsErrorKind::Conflict, CONTEXT))
    }

    /// Stores the job if `expected` is the newest of its key; `None` if it is not.
    async fn put_new(&self, conn: &Connection, expected: u64) -> Result<Option<Landed>, JobsError> {
        let mut writes = self.job.writes(self.link, expected);
        let stored = match (writes.pop(), writes.is_empty()) {
            (Some(own), true) => self.send(conn, own).await?,
            (last, _) => {
                writes.extend(last);
                match self.noting(store_batch(conn, CONTEXT, writes).await)? {
                    BatchEnd::Stored => Sent::Stored,
                    BatchEnd::Duplicate => Sent::Known,
                    BatchEnd::Conflict => Sent::Refused,
                }
            }
        };
        let landing = match stored {
            Sent::Refused => return Ok(None),
            Sent::Known if !self.is_in_doubt.load(Ordering::Relaxed) => Landing::Existing,
            Sent::Stored | Sent::Known => Landing::New,
        };
        tracing::debug!(id = %self.job.id, ?landing, "unique job enqueued");
        Ok(Some(Landed {
            id: self.job.id.clone(),
            landing,
        }))
    }

    /// Puts the new payload in the place of `found`; `false` if that has moved on.
    async fn replace(&self, conn: &Connection, found: &Found) -> Result<bool, JobsError> {
        let (fields, body) = (self.job.own_headers(), self.job.body.clone());
        let due = self.job.due_at();
        let turn = self.taken_along.load(Ordering::Relaxed);
        let plan = self.plan;
        let write = plan.replacement(self.link, (found, turn), due, fields, body.clone())?;
        self.is_replacing.store(true, Ordering::Relaxed);
        let Some(ack) = self.publish(conn, write).await? else {
            return Ok(false);
        };
        failpoint::reach("replacement-stored");
        self.leave_newest(conn, found, ack.sequence).await?;
        let stands = stands(self.link, conn, plan, found, (ack.sequence, &body)).await?;
        if !stands {
            tracing::debug!(id = %found.id, "the job that was replaced has fired all the same");
            self.taken_along.fetch_add(1, Ordering::Relaxed);
        }
        Ok(stands)
    }

    /// Removes what was on the subject of `found` before `newest`. A schedule is replaced by the server itself.
    async fn leave_newest(
        &self,
        conn: &Connection,
        found: &Found,
        newest: u64,
    ) -> Result<(), JobsError> {
        if matches!(found.place, Place::Later | Place::Window) {
            return Ok(());
        }
        let subject = self.plan.taken(self.link, found, found.place);
        delete_older(conn, &self.link.names().jobs_stream(), &subject, newest).await
    }

    async fn send(&self, conn: &Connection, write: Write) -> Result<Sent, JobsError> {
        Ok(match self.publish(conn, write).await? {
            Some(ack) if ack.duplicate => Sent::Known,
            Some(_) => Sent::Stored,
            None => Sent::Refused,
        })
    }

    /// `None`: something else is the newest of the key.
    async fn publish(
        &self,
        conn: &Connection,
        write: Write,
    ) -> Result<Option<PublishAck>, JobsError> {
        let sent = conn
            .publish_acked(write.subject, write.headers, write.body)
            .await;
        match sent {
            Ok(ack) => Ok(Some(ack)),
            Err(error) if wrong_sequence(&error).is_some() => Ok(None),
            Err(error) => self.noting(Err(JobsError::connection(CONTEXT, error))),
        }
    }

    /// Remembers that an answer was lost.
    fn noting<T>(&self, result: Result<T, JobsError>) -> Result<T, JobsError> {
        if let Err(error) = &result
            && error.kind() == JobsErrorKind::OutcomeUnknown
        {
            self.is_in_doubt.store(true, Ordering::Relaxed);
        }
        result
    }

    fn landed(&self, landing: Landing, found: &Found) -> Landed {
        tracing::debug!(id = %found.id, ?landing, place = ?found.place, "key taken");
        Landed {
            id: found.id.clone(),
            landing,
        }
    }
}

/// What the server said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Stored,
    /// Its message id is known.
    Known,
    /// Something else is the newest of the key.
    Refused,
}
