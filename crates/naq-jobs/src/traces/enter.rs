//! A trace that came from elsewhere: over HTTP, in the environment of a process.

use std::any::Any;
use std::fmt;

use super::{here, tracer};
use crate::model::TraceContext;

/// Puts back what was the current span before.
#[must_use = "the trace is left when this is dropped"]
pub struct EnteredTrace {
    _entered: Box<dyn Any>,
}

/// What this thread does until the returned value is dropped belongs to the trace `context`: jobs that it enqueues are
/// in that trace, whether or not somebody makes spans here. Do not hold it over an `.await`; there
/// [`crate::Job::trace_parent`] does the same for one job.
///
/// ```
/// use naq_jobs::{TraceContext, enter_trace};
///
/// let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let context = TraceContext::new(text, None).expect("it is one");
/// let entered = enter_trace(&context);
/// // ... `runtime.block_on(...)` of a short program, for example
/// drop(entered);
/// ```
pub fn enter_trace(context: &TraceContext) -> EnteredTrace {
    let _entered = match tracer() {
        Some(tracer) => tracer.enter(context),
        None => Box::new(here::enter(context)),
    };
    EnteredTrace { _entered }
}

impl fmt::Debug for EnteredTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnteredTrace")
    }
}
