//! Traces: who makes spans, and where their context travels. The design is in `docs/design/0011-traces.md`.
//!
//! Without a [`Tracer`] no span is made, and the context that came in with a job goes on to what its handler enqueues.

mod attempt;
mod enter;
mod here;
mod sending;
mod tracer;

pub(crate) use attempt::AttemptTrace;
pub use enter::{EnteredTrace, enter_trace};
pub(crate) use sending::Sending;
pub(crate) use tracer::tracer;
pub use tracer::{SpanEnd, SpanStart, TraceOperation, TraceSpan, Tracer, set_tracer};
