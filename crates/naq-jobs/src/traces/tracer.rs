//! Who makes spans: one for the process, set once.

use std::any::Any;
use std::fmt;
use std::sync::OnceLock;
use std::time::SystemTime;

use crate::model::TraceContext;

static TRACER: OnceLock<Box<dyn Tracer>> = OnceLock::new();

/// Makes spans. The crate `naq-otel` has the one for OpenTelemetry.
pub trait Tracer: Send + Sync + 'static {
    /// Makes the span that `context` names the current one of this thread, until what is returned is dropped.
    fn enter(&self, context: &TraceContext) -> Box<dyn Any>;

    /// Starts a span.
    fn start(&self, start: &SpanStart<'_>) -> Box<dyn TraceSpan>;
}

/// A span that has started. One that is dropped has ended, too.
pub trait TraceSpan: Send + Sync {
    /// What is below this span says so with this; `None` if whoever makes spans makes none at present.
    fn context(&self) -> Option<TraceContext>;

    /// Makes it the current span of this thread, until what is returned is dropped.
    fn enter(&self) -> Box<dyn Any>;

    /// Ends the span. A second end changes nothing.
    fn end(&self, end: &SpanEnd<'_>);
}

/// What a span is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TraceOperation {
    /// Jobs are enqueued: one, or many at once.
    Enqueue,
    /// A schedule makes a job.
    Fire,
    /// A workflow is submitted, or gets more nodes.
    Submit,
    /// A dead letter goes back into its queue.
    Requeue,
    /// An attempt of a job.
    Process,
}

impl TraceOperation {
    /// Its name: `enqueue`, `fire`, `submit`, `requeue` or `process`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enqueue => "enqueue",
            Self::Fire => "fire",
            Self::Submit => "submit",
            Self::Requeue => "requeue",
            Self::Process => "process",
        }
    }
}

impl fmt::Display for TraceOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known when a span starts.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SpanStart<'a> {
    /// What it is about.
    pub operation: TraceOperation,
    /// The queue, or the name of the workflow; `None` if jobs of several queues may be meant.
    pub destination: Option<&'a str>,
    /// The span above; `None`: the current one of the program, if there is one.
    pub parent: Option<&'a TraceContext>,
    /// Whether a trace begins here, whatever the current span is.
    pub is_root: bool,
    /// Spans that it comes from without being below them.
    pub links: &'a [TraceContext],
    /// The id of the job, if it is known yet.
    pub job_id: Option<&'a str>,
    /// The kind of the job.
    pub kind: Option<&'a str>,
    /// The attempt, counted from 1.
    pub attempt: Option<u32>,
    /// The worker's id.
    pub worker: Option<&'a str>,
    /// The schedule that made the job, and the instant that it was made for.
    pub schedule: Option<(&'a str, SystemTime)>,
    /// The workflow that the job belongs to, and the number of its node.
    pub workflow: Option<(&'a str, u32)>,
}

impl<'a> SpanStart<'a> {
    /// A span about this, with all else unknown.
    pub fn new(operation: TraceOperation) -> Self {
        Self {
            operation,
            destination: None,
            parent: None,
            is_root: false,
            links: &[],
            job_id: None,
            kind: None,
            attempt: None,
            worker: None,
            schedule: None,
            workflow: None,
        }
    }
}

/// What is known when a span ends.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct SpanEnd<'a> {
    /// The id of the job, or of the workflow, if it was not known at the start.
    pub job_id: Option<&'a str>,
    /// How many jobs it was, if it was about many.
    pub count: Option<usize>,
    /// How it ended, in one word; `None` if that is known from the rest.
    pub outcome: Option<&'a str>,
    /// Why it failed, if it did: a name of few different ones, and the text.
    pub error: Option<(&'a str, &'a str)>,
}

/// Sets who makes spans in this process, from now on. `false` if somebody is set already, who stays.
pub fn set_tracer(tracer: impl Tracer) -> bool {
    TRACER.set(Box::new(tracer)).is_ok()
}

pub(crate) fn tracer() -> Option<&'static dyn Tracer> {
    TRACER.get().map(|tracer| &**tracer)
}
