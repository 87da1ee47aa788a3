//! Workflows, seen from a worker: what it tells of its jobs, and what it does with what others tell.

use std::time::Duration;

use async_nats::Message;
use naq_connection::Connection;
use tokio::time::Instant;

use super::delivery::Delivered;
use super::errands::Errand;
use super::holds::Hold;
use super::runner::{Runner, SETTLE_MORE};
use super::tally::Left;
use crate::flow_end::tell_end;
use crate::server::{Link, ensure_flows_consumer};
use crate::wire::{Names, Status, decode};
use crate::workflow::{Advancer, Notice};
use crate::{JobsError, JobsErrorKind, failpoint};

/// Takes what is told of workflows, and advances them.
#[derive(Debug)]
pub(super) struct Flows(pub(super) Advancer);

impl Errand for Flows {
    type Item = Notice;

    const WHAT: &'static str = "workflows";
    const CONSUMER: &'static str = Names::FLOWS_CONSUMER;
    const BATCH: u32 = 500;
    // While one batch is handled the next one gathers by itself.
    const GATHER: Duration = Duration::ZERO;

    async fn ensure(&self, conn: &Connection, link: &Link) -> Result<Duration, JobsError> {
        ensure_flows_consumer(conn, link).await
    }

    fn read(message: &Message) -> Option<Notice> {
        let reply = message.reply.as_ref()?;
        Notice::read(&message.subject, &message.payload, reply)
    }

    async fn handle(&self, _: &Link, conn: &Connection, items: Vec<Notice>) {
        self.0.settle(conn, items).await;
    }
}

impl Runner {
    /// Tells the workflow of `job`, if it belongs to one, how it has ended.
    ///
    /// This comes after the outcome and before the acknowledgement: should the worker die in between, the job is
    /// delivered again, found settled, and told again.
    pub(super) async fn tell_workflow(
        &self,
        job: &mut Delivered,
        hold: &Hold,
        left: Left,
    ) -> Result<(), JobsError> {
        if job.flow.is_none() {
            let body = job.message.payload.clone();
            job.flow = decode(&body).ok().and_then(|envelope| envelope.flow);
        }
        let Some(flow) = &job.flow else {
            return Ok(());
        };
        let status = match left {
            Left::Completed => Status::Completed,
            Left::Failed => Status::Failed,
            Left::Cancelled => Status::Cancelled,
            Left::Elsewhere => {
                let existing = self.settler(job, hold).existing().await?;
                existing.ok_or_else(|| {
                    JobsError::new(JobsErrorKind::Conflict, "read the outcome: it has gone")
                })?
            }
            Left::Retried
            | Left::Snoozed
            | Left::Parked
            | Left::Limited
            | Left::HandedBack
            | Left::Abandoned => {
                return Ok(());
            }
        };
        let deadline = Instant::now() + job.ack_wait + SETTLE_MORE;
        failpoint::reach("flow-job-ended");
        tell_end(&self.link, flow, status, deadline).await?;
        failpoint::reach("flow-end-told");
        Ok(())
    }
}
