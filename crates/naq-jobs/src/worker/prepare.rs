//! Which handler runs a job, with which payload, or why none does.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;

use super::delivery::Delivered;
use super::handler::{Handle, Refusal};
use super::runner::Runner;
use super::verdict::Verdict;
use crate::wire::{Envelope, FailureReason, JobFailure, Undecodable};

/// A handler, and the payload as it takes it.
pub(super) struct Prepared<'a> {
    pub(super) handler: Arc<dyn Handle>,
    pub(super) payload: Cow<'a, RawValue>,
}

impl Runner {
    /// The handler and its payload, unless the job may not run.
    pub(super) fn prepare<'a>(
        &self,
        job: &Delivered,
        envelope: &Envelope<'a>,
    ) -> Result<Prepared<'a>, Verdict> {
        let limit = self.max_deliver(job);
        let dead = |reason, text| Verdict::Dead(JobFailure::new(reason, text));
        if !job.has_valid_id {
            let subject = &job.message.subject;
            let text = format!("the last part of the subject {subject} is no job id");
            return Err(dead(FailureReason::Undecodable, text));
        }
        if job.deliveries > limit {
            let text = format!(
                "delivered {limit} times without being settled: its workers died or lost their \
                 leases (`queues.max_deliver`)"
            );
            return Err(dead(FailureReason::Deliveries, text));
        }
        let kind = &envelope.kind;
        match self.registry.prepare(envelope) {
            Ok((handler, payload)) => Ok(Prepared { handler, payload }),
            Err(Refusal::Payload(failure)) => Err(Verdict::Dead(failure)),
            Err(Refusal::Newer { known }) => {
                let (id, version) = (&job.id, envelope.payload_version);
                tracing::warn!(%id, %kind, version, known, "payload too new for this worker; left for a newer one");
                Err(Verdict::SnoozeLater(wait_for_newer(job.snoozes)))
            }
            Err(Refusal::Unknown) => {
                let known = self.registry.kinds().join(", ");
                let text = format!("no handler for the kind {kind}; this worker knows: {known}");
                Err(dead(FailureReason::UnknownKind, text))
            }
        }
    }
}

/// How long a job is put off whose payload is too new here: 1 s, doubling to 64 s.
fn wait_for_newer(snoozes: u32) -> Duration {
    Duration::from_secs(1 << snoozes.min(6))
}

/// Why the body of a job could not be read.
pub(super) fn undecodable(error: &Undecodable) -> JobFailure {
    let reason = match error {
        Undecodable::Version(_) => FailureReason::UnsupportedVersion,
        Undecodable::Malformed(_) => FailureReason::Undecodable,
    };
    JobFailure::new(reason, error.to_string())
}
