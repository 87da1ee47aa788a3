//! Claims of strict jobs: a run writes that it is the newest one before its handler starts.
//!
//! ```text
//!   delivered ──► CLAIM: expected newest of claims and outcomes, 0 or the fence
//!                   │ stored ──────────────────────────────► runs; its outcome expects the claim to be the newest
//!                   └ refused ──► an outcome: settled, acknowledged
//!                                 own claim, the answer was lost: runs
//!                                 another one's, of a run before: CLAIM, expecting that
//! ```
//!
//! `docs/design/0013-strict.md` has the failure table.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::delivery::Delivered;
use super::holds::Hold;
use super::runner::Runner;
use super::settle::Settler;
use super::tally::Left;
use crate::results::claim_headers;
use crate::server::{last_at_leader, now_ms, wrong_sequence};
use crate::{JobsError, JobsErrorKind, failpoint};

/// Tries to follow on what is there: it changes only while several workers have the job, which ends with their leases.
const ROUNDS: u32 = 16;

/// The record of a claim.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    v: u32,
    worker: String,
    attempt: u32,
    /// Names this very claim, so that a worker whose answer was lost knows its own.
    nonce: u64,
    at_ms: u64,
}

/// What became of a try to claim.
enum Claim {
    Ours(u64),
    /// There is an outcome.
    Settled,
    /// The lease has lapsed.
    Lapsed,
}

impl Runner {
    /// Claims a strict job; says how it left, if it does not run.
    pub(super) async fn claim(
        &self,
        job: &mut Delivered,
        hold: &Hold,
        ttl: Duration,
    ) -> Result<Option<Left>, JobsError> {
        match self.settler(job, hold).claim(ttl).await? {
            Claim::Ours(sequence) => {
                job.claim = Some(sequence);
                failpoint::reach("claim-stored");
                Ok(None)
            }
            Claim::Settled => {
                self.is_settled(job, hold).await?;
                Ok(Some(Left::Elsewhere))
            }
            Claim::Lapsed => Ok(Some(Left::Abandoned)),
        }
    }
}

impl Settler<'_> {
    /// Writes a claim behind whatever run was the newest. It lasts as long as the outcome would: should it expire while the job
    /// runs, nobody can have claimed the job after it, since that claim would still be there.
    async fn claim(&self, ttl: Duration) -> Result<Claim, JobsError> {
        let names = self.link.names();
        let (stream, newest_of) = (&names.results_stream(), &self.claim_or_result());
        let subject = &names.claim(&self.job.id);
        let nonce = fastrand::u64(..) >> 11;
        let record = Record {
            v: 1,
            worker: self.worker.to_owned(),
            attempt: self.job.attempt(),
            nonce,
            at_ms: now_ms(),
        };
        let body = &serde_json::to_vec(&record).unwrap_or_default();
        let mut fence = self.job.fence;
        for _ in 0..ROUNDS {
            // Only a run that has its lease may follow on a newer one.
            if self.hold.has_lapsed() {
                return Ok(Claim::Lapsed);
            }
            failpoint::reach("claim-ready");
            let sent = self.persist(move |conn| async move {
                let fields = claim_headers(ttl, fence, newest_of);
                match conn
                    .publish_acked(subject.clone(), fields, body.clone())
                    .await
                {
                    Ok(ack) => Ok(Some(ack.sequence)),
                    Err(e) if wrong_sequence(&e).is_some() => Ok(None),
                    Err(e) => Err(JobsError::connection("claim a job", e)),
                }
            });
            if let Some(sequence) = sent.await? {
                return Ok(Claim::Ours(sequence));
            }
            // What is the newest is read before the outcome: one that is written in between refuses the next claim.
            let found = self
                .persist(move |conn| async move { last_at_leader(&conn, stream, newest_of).await })
                .await?;
            if self.existing().await?.is_some() {
                return Ok(Claim::Settled);
            }
            fence = match found {
                Some(found) if is_own(&found.payload, nonce) => {
                    return Ok(Claim::Ours(found.sequence));
                }
                Some(found) => found.sequence,
                None => 0,
            };
        }
        let context = "claim a job: it is claimed again and again";
        Err(JobsError::new(JobsErrorKind::Conflict, context))
    }
}

fn is_own(body: &[u8], nonce: u64) -> bool {
    serde_json::from_slice::<Record>(body).is_ok_and(|record| record.nonce == nonce)
}
