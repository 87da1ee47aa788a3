//! Jobs whose payload, or whose result, is compressed or too large for a message.

use serde_json::value::RawValue;

use super::conclude::Span;
use super::delivery::Delivered;
use super::holds::Hold;
use super::runner::Runner;
use super::tally::Left;
use super::verdict::Verdict;
use crate::JobsError;
use crate::payload::{Kept, Unfetched, offload_result, payload, release, remove};
use crate::wire::{Envelope, FailureReason, JobFailure, Outcome};

impl Runner {
    /// Fetches or unpacks the payload, then runs the attempts.
    pub(super) async fn attempts_of_large(
        &self,
        job: &mut Delivered,
        envelope: Envelope<'_>,
        hold: &Hold,
    ) -> Result<Verdict, JobsError> {
        let dead = |reason, text| Ok(Verdict::Dead(JobFailure::new(reason, text)));
        let payload = match payload(&self.link, &envelope).await {
            Ok(payload) => payload,
            Err(Unfetched::Failed(error)) => return Err(error),
            Err(Unfetched::Gone(text)) => return dead(FailureReason::PayloadMissing, text),
            Err(Unfetched::Unreadable(text)) => return dead(FailureReason::Undecodable, text),
        };
        let envelope = Envelope {
            payload: &payload,
            ..envelope
        };
        let verdict = match self.prepare(job, &envelope) {
            Ok(prepared) => {
                self.attempts_in_place(job, &envelope, &prepared, hold)
                    .await
            }
            Err(verdict) => verdict,
        };
        Ok(verdict)
    }

    /// Removes the payload of a job that has ended and leaves no dead letter. A crash before this is made good by the
    /// next delivery, which finds the outcome.
    pub(super) async fn tidy(&self, job: &Delivered, left: Left) -> Result<(), JobsError> {
        match left {
            Left::Completed | Left::Cancelled => release(&self.link, &job.message.payload).await,
            _ => Ok(()),
        }
    }

    /// Puts the result into the outcome, compressed or not, or into the object store if it is too large.
    pub(super) async fn put_result(
        &self,
        job: &Delivered,
        outcome: &mut Outcome,
        result: Box<RawValue>,
        span: Span,
    ) -> Result<(), JobsError> {
        let compression = span.compression();
        match offload_result(&self.link, &job.id, result, compression, span.ttl).await? {
            Kept::Here(result) => outcome.result = Some(result),
            Kept::Packed(text) => outcome.result_zlib = Some(text),
            Kept::Apart(reference) => outcome.result_ref = Some(reference),
        }
        Ok(())
    }

    /// Removes a large result that was not recorded: another attempt was first. Should that fail, it expires.
    pub(super) async fn drop_result(&self, outcome: &Outcome) {
        let Some(reference) = &outcome.result_ref else {
            return;
        };
        let removed = async {
            let conn = self.link.lease("remove a large result").await?;
            remove(&self.link, &conn, reference).await
        };
        if let Err(error) = removed.await {
            tracing::debug!(object = reference.object, %error, "a large result is left to expire");
        }
    }
}
