//! The trace of an attempt: its span, if somebody makes spans, else the context that came in.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use super::{SpanEnd, SpanStart, TraceSpan, here, tracer};
use crate::model::TraceContext;

/// The trace of an attempt.
pub(crate) struct AttemptTrace {
    context: TraceContext,
    span: Option<Box<dyn TraceSpan>>,
}

impl AttemptTrace {
    /// Starts the attempt of a message that came with `came_in`; `None` if there is nothing to trace.
    pub(crate) fn start(start: &SpanStart<'_>) -> Option<Self> {
        let span = tracer().map(|tracer| tracer.start(start));
        let own = span.as_ref().and_then(|span| span.context());
        let span = span.filter(|_| own.is_some());
        let context = own.or_else(|| start.parent.cloned())?;
        Some(Self { context, span })
    }

    /// What the handler passes on.
    pub(crate) fn context(&self) -> &TraceContext {
        &self.context
    }

    /// The attempt's own context, if it has a span.
    pub(crate) fn own(&self) -> Option<&TraceContext> {
        self.span.as_ref().map(|_| &self.context)
    }

    /// This thread works for the attempt until what is returned is dropped.
    pub(crate) fn enter(&self) -> Box<dyn Any> {
        match &self.span {
            Some(span) => span.enter(),
            None => Box::new(here::enter(&self.context)),
        }
    }

    /// Each poll of `work` is a part of the attempt.
    pub(crate) async fn around<T>(
        self: Arc<Self>,
        mut work: Pin<Box<dyn Future<Output = T> + Send>>,
    ) -> T {
        std::future::poll_fn(move |task| {
            let _entered = self.enter();
            work.as_mut().poll(task)
        })
        .await
    }

    /// The attempt has ended.
    pub(crate) fn end(&self, end: &SpanEnd<'_>) {
        if let Some(span) = &self.span {
            span.end(end);
        }
    }
}

impl fmt::Debug for AttemptTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AttemptTrace").field(&self.context).finish()
    }
}
