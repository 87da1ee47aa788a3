//! A delivered job: what the message, its subject and its acknowledgement address say.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Message, Subject};

use super::limits::Place;
use super::telling::Begun;
use crate::model::{JobId, QueueName};
use crate::traces::AttemptTrace;
use crate::wire::{Delivery, FlowNode, JobFailure, Names, headers, text};

/// A job as it was delivered.
#[derive(Debug)]
pub(super) struct Delivered {
    pub(super) message: Message,
    pub(super) queue: QueueName,
    pub(super) id: JobId,
    /// Whether the id was read from the subject, not made up.
    pub(super) has_valid_id: bool,
    /// Known once the envelope is read.
    pub(super) kind: Option<String>,
    /// Where it is acknowledged.
    pub(super) reply: Subject,
    /// The lease time.
    pub(super) ack_wait: Duration,
    /// Its sequence in the stream of jobs.
    pub(super) sequence: u64,
    /// Whether it may have been delivered before a restart that made the server forget.
    pub(super) is_suspect: bool,
    /// How often this message was delivered, counted from 1.
    pub(super) deliveries: u32,
    pub(super) retries_done: u32,
    /// Attempts that were made before this delivery of this message.
    pub(super) attempts_before: u32,
    /// Snoozes before this message.
    pub(super) snoozes: u32,
    /// Whether it was put aside.
    pub(super) was_parked: bool,
    /// The number of the last note that its handler has made here, 0 if there is none.
    pub(super) last_note: u64,
    /// Somebody has cancelled it while it ran here.
    pub(super) was_cancelled: bool,
    pub(super) fence: u64,
    /// The claim under which it runs, if it is a strict one.
    pub(super) claim: Option<u64>,
    /// The attempt that runs, or was the last one.
    pub(super) begun: Option<Begun>,
    /// Why the last attempt failed.
    pub(super) failure: Option<JobFailure>,
    /// The places that it has taken, if its queue has a limit over all priorities or its limit key has one.
    pub(super) places: Vec<Place>,
    /// Whether it comes from the dead letters.
    pub(super) is_requeued: bool,
    /// The node of a workflow that it is; known once the envelope is read.
    pub(super) flow: Option<FlowNode>,
    /// Whether others may be kept back until it has ended; known once the envelope is read.
    pub(super) is_awaited: bool,
    /// The trace of the attempt that runs, or was the last one.
    pub(super) trace: Option<Arc<AttemptTrace>>,
}

impl Delivered {
    /// Reads a message from the consumer of `queue`; `None` if it is none (no acknowledgement address).
    pub(super) fn read(message: Message, queue: &QueueName, ack_wait: Duration) -> Option<Self> {
        let reply = message.reply.clone()?;
        let (deliveries, sequence, stored_at) = counts(&reply)?;
        let headers = Delivery::read(message.headers.as_ref());
        let parsed = Names::parse_id(&message.subject);
        Some(Self {
            has_valid_id: parsed.is_some(),
            id: parsed.unwrap_or_else(|| stand_in_id(sequence, stored_at)),
            queue: queue.clone(),
            kind: None,
            reply,
            ack_wait,
            sequence,
            is_suspect: false,
            deliveries,
            retries_done: headers.retries_done,
            attempts_before: headers.attempts_before,
            snoozes: headers.snoozes,
            was_parked: headers.was_parked,
            last_note: 0,
            was_cancelled: false,
            fence: headers.fence,
            claim: None,
            begun: None,
            failure: None,
            places: Vec::new(),
            is_requeued: headers.is_requeued,
            flow: None,
            is_awaited: false,
            trace: None,
            message,
        })
    }

    /// The key of the limits that are per key.
    pub(super) fn limit_key(&self) -> Option<&str> {
        text(self.message.headers.as_ref(), headers::LIMIT_KEY).filter(|key| !key.is_empty())
    }

    /// The attempt, counted from 1.
    pub(super) fn attempt(&self) -> u32 {
        self.attempts_before.saturating_add(self.deliveries)
    }

    /// The retry begins that was waited for here.
    pub(super) fn next_retry(&mut self) {
        self.retries_done += 1;
        self.attempts_before += 1;
    }

    /// Whether somebody may already have settled this job. Whatever was put back may have been cancelled meanwhile.
    pub(super) fn may_be_settled(&self) -> bool {
        self.is_suspect
            || self.deliveries > 1
            || self.retries_done > 0
            || self.attempts_before > 0
            || self.snoozes > 0
            || self.was_parked
            || self.fence > 0
    }
}

/// The id under which a message with an impossible subject is kept.
fn stand_in_id(sequence: u64, stored_at: u64) -> JobId {
    JobId::new(format!("seq-{sequence}-{stored_at}")).unwrap_or_else(|_| JobId::generate())
}

/// Deliveries, stream sequence and time of storing (nanoseconds since 1970) of an acknowledgement address (ADR-15,
/// both forms).
fn counts(reply: &str) -> Option<(u32, u64, u64)> {
    let parts = reply.strip_prefix("$JS.ACK.")?.split('.');
    // stream.consumer.delivered.stream_seq... or domain.account.stream.consumer.delivered.stream_seq...
    let at = if parts.clone().count() >= 9 { 4 } else { 2 };
    let mut numbers = parts.skip(at).map(|part| part.parse::<u64>().ok());
    let mut number = || numbers.next().flatten();
    let (deliveries, sequence) = (number()?, number()?);
    // The number in the consumer is of no use here.
    let _ = number()?;
    let deliveries = u32::try_from(deliveries).unwrap_or(u32::MAX);
    Some((deliveries, sequence, number()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_address_are_read() {
        assert_eq!(
            counts("$JS.ACK.naq_jobs.naq-worker-mail.3.17.9.1763.0"),
            Some((3, 17, 1763))
        );
        let long = "$JS.ACK._.ACC.naq_jobs.naq-worker-mail.2.17.9.1763.0.tok";
        assert_eq!(counts(long), Some((2, 17, 1763)));
        assert_eq!(counts("_INBOX.x"), None);
        assert_eq!(counts("$JS.ACK.a.b"), None);
    }
}
