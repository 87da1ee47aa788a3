//! The tracer of `naq-jobs`, by the API of OpenTelemetry.

use std::any::Any;

use naq_jobs::{SpanEnd, SpanStart, TraceContext, TraceOperation, TraceSpan, Tracer};
use opentelemetry::trace::{
    Link, SpanBuilder, SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState,
    Tracer as _, TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope, global};

use crate::conventions::{attributes, kind, last_attributes, name, status};

/// Makes spans of jobs with the provider that is the global one of OpenTelemetry at this moment
/// (`opentelemetry::global::set_tracer_provider`), for the rest of the process. `false` if somebody has done it before, which
/// stays.
///
/// The span of an attempt is the current context while its handler is polled: spans of the handler, also those of
/// `tracing-opentelemetry`, are below it. A job that is enqueued is below the current context.
pub fn install() -> bool {
    let scope = InstrumentationScope::builder("naq").with_version(env!("CARGO_PKG_VERSION"));
    let tracer = global::tracer_provider().tracer_with_scope(scope.build());
    naq_jobs::set_tracer(OtelTracer(tracer))
}

struct OtelTracer(global::BoxedTracer);

struct OtelSpan {
    operation: TraceOperation,
    context: Context,
}

impl Tracer for OtelTracer {
    fn enter(&self, context: &TraceContext) -> Box<dyn Any> {
        Box::new(remote(context).attach())
    }

    fn start(&self, start: &SpanStart<'_>) -> Box<dyn TraceSpan> {
        let parent = match start.parent {
            Some(parent) => remote(parent),
            None if start.is_root => Context::new(),
            None => Context::current(),
        };
        let links = start.links.iter().map(span_context).map(Link::with_context);
        let span = SpanBuilder::from_name(name(start))
            .with_kind(kind(start.operation))
            .with_attributes(attributes(start))
            .with_links(links.collect());
        let span = self.0.build_with_context(span, &parent);
        Box::new(OtelSpan {
            operation: start.operation,
            context: parent.with_span(span),
        })
    }
}

impl TraceSpan for OtelSpan {
    fn context(&self) -> Option<TraceContext> {
        let span = self.context.span();
        let own = span.span_context();
        // One that is not valid is from a provider that makes nothing.
        let (trace, id) = (own.trace_id(), own.span_id());
        let parent = format!("00-{trace}-{id}-{:02x}", own.trace_flags().to_u8());
        TraceContext::new(&parent, Some(&own.trace_state().header()))
    }

    fn enter(&self) -> Box<dyn Any> {
        Box::new(self.context.clone().attach())
    }

    fn end(&self, end: &SpanEnd<'_>) {
        let span = self.context.span();
        span.set_attributes(last_attributes(self.operation, end));
        span.set_status(status(end));
        span.end();
    }
}

fn remote(context: &TraceContext) -> Context {
    Context::new().with_remote_span_context(span_context(context))
}

fn span_context(context: &TraceContext) -> SpanContext {
    let flags = match context.is_sampled() {
        true => TraceFlags::SAMPLED,
        false => TraceFlags::NOT_SAMPLED,
    };
    let state: Option<TraceState> = context.state().and_then(|state| state.parse().ok());
    SpanContext::new(
        TraceId::from_hex(context.trace_id()).unwrap_or(TraceId::INVALID),
        SpanId::from_hex(context.span_id()).unwrap_or(SpanId::INVALID),
        flags,
        true,
        state.unwrap_or_default(),
    )
}
