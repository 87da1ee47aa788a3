//! The messages of a unique job.

use std::time::{Duration, SystemTime};

use async_nats::HeaderMap;
use bytes::Bytes;

use super::decide::Found;
use crate::model::{JobId, Policy, Priority, QueueName, Unique};
use crate::server::{Link, Write, expect_newest_of, rfc3339};
use crate::wire::{KeyHash, Place, UniqueSubject, headers, text};
use crate::{JobsError, JobsErrorKind};

/// What is known of a unique job before it is sent.
#[derive(Debug)]
pub(crate) struct UniquePlan {
    /// Where it waits when it is due.
    pub(super) subject: UniqueSubject,
    pub(super) policy: Policy,
    text: String,
    /// Names this very call, so that a replacement that is sent again is known.
    nonce: u64,
}

impl UniquePlan {
    pub(crate) fn new(
        (queue, priority): (QueueName, Priority),
        id: JobId,
        unique: Unique,
    ) -> Result<Self, JobsError> {
        let key = KeyHash::of(&unique.key).map_err(|e| {
            JobsError::new(JobsErrorKind::InvalidName, "use the key of a unique job").because(e)
        })?;
        Ok(Self {
            subject: UniqueSubject {
                queue,
                place: Place::of(priority),
                key,
                id,
            },
            policy: unique.policy,
            text: unique.key,
            nonce: fastrand::u64(..),
        })
    }

    /// The subject of the job's own message.
    pub(crate) fn own_subject(&self, link: &Link, is_due: bool) -> String {
        let place = if is_due {
            self.subject.place
        } else {
            Place::Later
        };
        self.at(link, place)
    }

    /// All that the key can be.
    pub(crate) fn filter(&self, link: &Link) -> String {
        let UniqueSubject { queue, key, .. } = &self.subject;
        link.names().unique_filter(queue, key)
    }

    /// The headers of a message that may be stored only if `expected` is still the newest of the key.
    pub(crate) fn guard(&self, link: &Link, expected: u64, fields: &mut HeaderMap) {
        let UniqueSubject { queue, key, .. } = &self.subject;
        expect(link, queue, key, expected, fields);
        fields.insert(headers::UNIQUE, self.text.as_str());
    }

    /// The new message for a job that is there; the `turn`-th, since those before it were taken along.
    pub(super) fn replacement(
        &self,
        link: &Link,
        (found, turn): (&Found, u32),
        due: Option<SystemTime>,
        mut fields: HeaderMap,
        body: Bytes,
    ) -> Result<Write, JobsError> {
        self.guard(link, found.sequence, &mut fields);
        let nonce = self.nonce.wrapping_add(u64::from(turn));
        fields.insert("Nats-Msg-Id", format!("{}:{nonce}", found.id));
        if found.place == Place::Later {
            let due = due.unwrap_or_else(SystemTime::now);
            let target = self.taken(link, found, self.subject.place);
            schedule(&mut fields, due, &target)?;
        }
        Ok(Write {
            subject: self.taken(link, found, found.place),
            headers: fields,
            body,
        })
    }

    /// Where the job that has the key is, or would be, in `place`.
    pub(super) fn taken(&self, link: &Link, found: &Found, place: Place) -> String {
        link.names().unique(&UniqueSubject {
            place,
            id: found.id.clone(),
            ..self.subject.clone()
        })
    }

    /// The marker of the window that the policy asks for.
    pub(crate) fn marker(&self, link: &Link) -> Option<Write> {
        let (Policy::Within(window) | Policy::Throttle(window)) = self.policy else {
            return None;
        };
        let mut fields = HeaderMap::new();
        fields.insert("Nats-TTL", format!("{}s", seconds(window)));
        fields.insert(headers::UNIQUE, self.text.as_str());
        Some(Write {
            subject: self.at(link, Place::Window),
            headers: fields,
            body: Bytes::new(),
        })
    }

    fn at(&self, link: &Link, place: Place) -> String {
        link.names().unique(&UniqueSubject {
            place,
            ..self.subject.clone()
        })
    }
}

/// Lets the server store the message only if `expected` is the newest of the key; 0: if the key is free.
fn expect(link: &Link, queue: &QueueName, key: &KeyHash, expected: u64, fields: &mut HeaderMap) {
    expect_newest_of(fields, &link.names().unique_filter(queue, key), expected);
}

/// The subject of a job that comes back, and the header that lets it take its key again, if it had one.
pub(crate) fn returning(
    link: &Link,
    queue: &QueueName,
    id: &JobId,
    fields: &mut HeaderMap,
) -> String {
    let priority = Priority::read(text(Some(fields), headers::PRIORITY));
    let key = text(Some(fields), headers::UNIQUE).and_then(|text| KeyHash::of(text).ok());
    let Some(key) = key else {
        return link.names().job_at(queue, id, priority);
    };
    expect(link, queue, &key, 0, fields);
    link.names().unique(&UniqueSubject {
        queue: queue.clone(),
        place: Place::of(priority),
        key,
        id: id.clone(),
    })
}

/// Lets the server put a message to `target` when it is due.
fn schedule(fields: &mut HeaderMap, due: SystemTime, target: &str) -> Result<(), JobsError> {
    let at = rfc3339(due).ok_or_else(|| {
        JobsError::new(
            JobsErrorKind::Configuration,
            "schedule a job after the year 9999",
        )
    })?;
    fields.insert("Nats-Schedule", format!("@at {at}"));
    fields.insert("Nats-Schedule-Target", target);
    Ok(())
}

/// Whole seconds, as the server counts the life of a message; at least one, at most ten years.
fn seconds(window: Duration) -> u64 {
    const MOST: u64 = 10 * 365 * 24 * 3600;
    let whole = window.as_secs() + u64::from(window.subsec_nanos() > 0);
    whole.clamp(1, MOST)
}
