//! The trace of something that is sent: jobs, a workflow, a requeue.

use std::fmt;

use async_nats::HeaderMap;

use super::here::here;
use super::{SpanEnd, SpanStart, TraceOperation, TraceSpan, tracer};
use crate::JobsError;
use crate::model::{Landing, TraceContext};

/// The span of something that is sent, and the context that goes with it. Without a tracer and outside of a traced job
/// it is nothing.
pub(crate) struct Sending {
    span: Option<Box<dyn TraceSpan>>,
    context: Option<TraceContext>,
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sending").field(&self.context).finish()
    }
}

impl Sending {
    /// Begins as `start` says.
    pub(crate) fn begin(start: &SpanStart<'_>) -> Self {
        let span = tracer().map(|tracer| tracer.start(start));
        let own = span.as_ref().and_then(|span| span.context());
        let context = own.or_else(|| match start.is_root {
            true => None,
            false => start.parent.cloned().or_else(here),
        });
        Self { span, context }
    }

    /// One job: below what its headers name, else below the current span.
    pub(crate) fn one(headers: &mut HeaderMap, queue: &str, kind: &str) -> Self {
        let given = TraceContext::read(Some(headers));
        let mut start = SpanStart::new(TraceOperation::Enqueue);
        start.destination = Some(queue);
        start.parent = given.as_ref();
        start.kind = Some(kind);
        let sending = Self::begin(&start);
        if given.is_some() || !TraceContext::is_said(Some(headers)) {
            sending.write(headers);
        }
        sending
    }

    /// Many jobs at once. Those that name a trace themselves stay in it.
    pub(crate) fn many() -> Self {
        Self::begin(&SpanStart::new(TraceOperation::Enqueue))
    }

    /// Puts the context into the headers of one of many, unless they name another.
    pub(crate) fn stamp(&self, headers: &mut HeaderMap) {
        if self.context.is_some() && !TraceContext::is_said(Some(headers)) {
            self.write(headers);
        }
    }

    /// Puts the context into headers.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        if let Some(context) = &self.context {
            context.write(headers);
        }
    }

    /// The context that goes with it.
    pub(crate) fn context(&self) -> Option<&TraceContext> {
        self.context.as_ref()
    }

    /// It has been sent.
    pub(crate) fn ended(&self, end: &SpanEnd<'_>) {
        if let Some(span) = &self.span {
            span.end(end);
        }
    }

    /// One job was enqueued, or is one that was there.
    pub(crate) fn landed(&self, id: &str, landing: Landing) {
        let outcome = match landing {
            Landing::New => None,
            Landing::Existing => Some("existing"),
            Landing::Replaced => Some("replaced"),
        };
        self.ended(&SpanEnd {
            job_id: Some(id),
            outcome,
            ..SpanEnd::default()
        });
    }

    /// Many were: `refused` of them were not.
    pub(crate) fn landed_many(&self, count: usize, refused: Option<&JobsError>) {
        match refused {
            Some(error) => self.failed(error),
            None => self.ended(&SpanEnd {
                count: Some(count),
                ..SpanEnd::default()
            }),
        }
    }

    /// It was not.
    pub(crate) fn failed(&self, error: &JobsError) {
        if let Some(span) = &self.span {
            let (name, text) = (format!("{:?}", error.kind()), error.to_string());
            span.end(&SpanEnd {
                error: Some((&name, &text)),
                ..SpanEnd::default()
            });
        }
    }
}
