//! Putting a job aside: a new message that no consumer reads, which the server brings back at its time.

use std::time::{Duration, SystemTime};

use async_nats::HeaderMap;

use super::delivery::Delivered;
use super::settle::Settler;
use crate::server::rfc3339;
use crate::wire::{carried, headers};
use crate::{JobsError, JobsErrorKind, failpoint};

/// How a job comes back as a new message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Back {
    /// Retries that it has had then.
    pub(super) retries: u32,
    /// Attempts.
    pub(super) attempts: u32,
    /// Snoozes.
    pub(super) snoozes: u32,
    pub(super) delay: Duration,
}

impl Back {
    /// As it is now, after `delay`.
    pub(super) fn of(job: &Delivered, delay: Duration) -> Self {
        Self {
            retries: job.retries_done,
            attempts: job.attempt(),
            snoozes: job.snoozes,
            delay,
        }
    }

    /// As the next retry.
    pub(super) fn retry(self) -> Self {
        let retries = self.retries.saturating_add(1);
        Self { retries, ..self }
    }

    /// As if the attempt had not been made.
    pub(super) fn snooze(self) -> Self {
        Self {
            attempts: self.attempts.saturating_sub(1),
            snoozes: self.snoozes.saturating_add(1),
            ..self
        }
    }
}

/// A job that is put aside.
#[derive(Debug)]
pub(super) struct Sleep {
    /// Where it lies.
    pub(super) subject: String,
    /// When it comes back; `None` is beyond all clocks.
    pub(super) due: Option<SystemTime>,
    /// Recognised if it is put aside twice.
    pub(super) message_id: String,
    pub(super) retries_done: u32,
    /// Attempts that were made before it comes back.
    pub(super) attempts: u32,
    /// Headers besides those that travel with the job.
    pub(super) headers: HeaderMap,
}

impl Settler<'_> {
    /// Lets the server enqueue the job again.
    pub(super) async fn schedule(&self, back: Back) -> Result<(), JobsError> {
        let job = self.job;
        let mut own = HeaderMap::new();
        if back.snoozes > 0 {
            own.insert(headers::SNOOZE, back.snoozes.to_string());
        }
        self.sleep(Sleep {
            subject: self.asleep(),
            due: SystemTime::now().checked_add(back.delay),
            // All deliveries of this message agree on the id; a requeued job is another message, and begins anew.
            message_id: format!(
                "{}:{}:{}.{}",
                job.id, job.sequence, back.retries, back.snoozes
            ),
            retries_done: back.retries,
            attempts: back.attempts,
            headers: own,
        })
        .await
    }

    /// Stores the job where no consumer reads it, until the server brings it back to where it came from.
    pub(super) async fn sleep(&self, sleep: Sleep) -> Result<(), JobsError> {
        let job = self.job;
        let due = sleep.due.and_then(rfc3339).ok_or_else(|| {
            JobsError::new(
                JobsErrorKind::Configuration,
                "schedule a job after the year 9999",
            )
        })?;
        let mut fields = carried(job.message.headers.as_ref());
        job.keep_trace(&mut fields);
        for (name, values) in sleep.headers.iter() {
            for value in values {
                fields.append(name.clone(), value.clone());
            }
        }
        fields.insert("Nats-Schedule", format!("@at {due}"));
        fields.insert("Nats-Schedule-Target", self.origin());
        fields.insert("Nats-Msg-Id", sleep.message_id);
        fields.insert(headers::RETRY, sleep.retries_done.to_string());
        fields.insert(headers::ATTEMPT, sleep.attempts.to_string());
        if job.is_requeued {
            fields.insert(headers::FENCE, job.fence.to_string());
        }
        let (fields, subject) = (&fields, &sleep.subject);
        self.persist(move |conn| async move {
            conn.publish_acked(subject.clone(), fields.clone(), job.message.payload.clone())
                .await
                .map_err(|e| JobsError::connection("put a job aside", e))
        })
        .await?;
        failpoint::reach("retry-stored");
        Ok(())
    }

    /// Where the job sleeps: a unique one in the tree of its key, so that it goes on holding it.
    fn asleep(&self) -> String {
        let job = self.job;
        let names = self.link.names();
        names.sleep(&job.message.subject, &job.queue, &job.id)
    }

    /// The subject that the job came from; one with an impossible subject gets that of its stand-in.
    fn origin(&self) -> String {
        let job = self.job;
        if job.has_valid_id {
            job.message.subject.to_string()
        } else {
            self.link.names().job(&job.queue, &job.id)
        }
    }
}
