//! The span of each attempt: where it belongs, what came before it, how it ended.

use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use futures::StreamExt;
use futures::stream;

use super::delivery::Delivered;
use super::runner::Runner;
use super::verdict::Verdict;
use crate::model::{JobId, TraceContext};
use crate::server::last_of;
use crate::traces::{AttemptTrace, SpanEnd, SpanStart, TraceOperation, tracer};
use crate::wire::{Envelope, headers, origin, text};

/// Outcomes that are read at the same time to make links, and time for all of them.
const READS: (usize, Duration) = (8, Duration::from_secs(1));

impl Runner {
    /// An attempt is about to run. Costs a plain job two looks.
    pub(super) async fn begin_trace(&self, job: &mut Delivered, envelope: &Envelope<'_>) {
        let came_in = TraceContext::read(job.message.headers.as_ref());
        if came_in.is_none() && tracer().is_none() {
            return;
        }
        job.trace = Box::pin(self.start_trace(job, envelope, came_in)).await;
    }

    async fn start_trace(
        &self,
        job: &Delivered,
        envelope: &Envelope<'_>,
        came_in: Option<TraceContext>,
    ) -> Option<Arc<AttemptTrace>> {
        // Of a message without a context the first attempt is the root of what follows.
        let parent = came_in.or_else(|| job.own_trace().cloned());
        let links = match &parent {
            Some(parent) if parent.is_sampled() => self.links(job).await,
            _ => Vec::new(),
        };
        let origin = origin(job.message.headers.as_ref());
        let mut start = SpanStart::new(TraceOperation::Process);
        start.destination = Some(job.queue.as_str());
        start.parent = parent.as_ref();
        start.is_root = parent.is_none();
        start.links = &links;
        start.job_id = Some(job.id.as_str());
        start.kind = Some(envelope.kind.as_str());
        start.attempt = Some(job.attempt());
        start.worker = Some(&self.worker);
        start.schedule = origin.as_ref().map(|(name, at)| (name.as_str(), *at));
        start.workflow = job.flow.as_ref().map(|flow| (flow.id.as_str(), flow.node));
        AttemptTrace::start(&start).map(Arc::new)
    }

    /// The attempts that the job comes after in its workflow, as far as they can be found soon.
    async fn links(&self, job: &Delivered) -> Vec<TraceContext> {
        let after = text(job.message.headers.as_ref(), headers::FOLLOWS);
        let (Some(after), Some(_)) = (after, tracer()) else {
            return Vec::new();
        };
        let found = async {
            let conn = self.link.lease("read what a job comes after").await.ok()?;
            let (conn, names) = (&conn, self.link.names());
            let stream = &names.results_stream();
            let ids: Vec<JobId> = after.split(' ').flat_map(JobId::new).collect();
            let read = stream::iter(ids).map(|id| async move {
                let found = last_of(conn, stream, &names.result(&id)).await.ok()??;
                TraceContext::read(found.headers.as_ref())
            });
            let found: Vec<_> = read.buffered(READS.0).collect().await;
            Some(found.into_iter().flatten().collect())
        };
        let found = tokio::time::timeout(READS.1, found).await.ok().flatten();
        found.unwrap_or_default()
    }
}

impl Delivered {
    /// The context of the last attempt, if it has a span.
    pub(super) fn own_trace(&self) -> Option<&TraceContext> {
        self.trace.as_ref()?.own()
    }

    /// A message that takes the place of this one, and that no context came with, hangs below the last attempt.
    pub(super) fn keep_trace(&self, fields: &mut HeaderMap) {
        if let Some(own) = self.own_trace()
            && !TraceContext::is_said(Some(fields))
        {
            own.write(fields);
        }
    }

    /// The attempt has ended, and this is what follows.
    pub(super) fn end_trace(&self, verdict: &Verdict) {
        let Some(trace) = &self.trace else {
            return;
        };
        let (outcome, failure) = match verdict {
            Verdict::Complete(_) => ("completed", None),
            Verdict::RetryHere(_) | Verdict::RetryLater(_) => ("retried", self.failure.as_ref()),
            Verdict::SnoozeHere(_) | Verdict::SnoozeLater(_) => ("snoozed", None),
            Verdict::Dead(failure) => ("failed", Some(failure)),
            Verdict::Cancel(_) => ("cancelled", None),
            Verdict::HandBack => ("handed_back", None),
            Verdict::Nothing => ("lease_lost", None),
        };
        let lost = ("lease_lost", "the lease lapsed before the handler returned");
        let error = failure.map(|failure| {
            let name = failure.error_type.as_deref();
            (
                name.unwrap_or(failure.reason.as_str()),
                failure.message.as_str(),
            )
        });
        let is_lost = matches!(verdict, Verdict::Nothing);
        trace.end(&SpanEnd {
            outcome: Some(outcome),
            error: error.or_else(|| is_lost.then_some(lost)),
            ..SpanEnd::default()
        });
    }
}
