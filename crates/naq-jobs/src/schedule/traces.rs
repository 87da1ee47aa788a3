//! The trace of a job that a schedule makes: it begins with the firing.

use std::sync::Arc;
use std::time::SystemTime;

use super::record::Record;
use super::run::Run;
use crate::model::{ScheduleName, TraceContext};
use crate::traces::{Sending, SpanEnd, SpanStart, TraceOperation, tracer};

impl Run {
    /// Begins the trace. A job that somebody asked for is below what that one does.
    pub(super) fn traced(self, name: &ScheduleName, record: &Record, is_asked_for: bool) -> Self {
        if tracer().is_none() {
            return self;
        }
        let mut start = SpanStart::new(TraceOperation::Fire);
        start.destination = Some(&record.queue);
        start.is_root = !is_asked_for;
        // Whoever made the schedule may have named a trace: a firing is none of its spans, but comes from there.
        let named = |name| record.headers.get(name)?.first().map(String::as_str);
        let made_in = named(TraceContext::PARENT);
        let made_in = made_in.and_then(|text| TraceContext::new(text, None));
        start.links = made_in.as_slice();
        start.job_id = Some(self.id.as_str());
        start.schedule = Some((name.as_str(), SystemTime::from(self.at)));
        let sending = Some(Arc::new(Sending::begin(&start)));
        Self { sending, ..self }
    }

    /// The job is stored, or somebody else has handled the firing.
    pub(super) fn end_trace(&self, is_ours: bool) {
        if let Some(sending) = &self.sending {
            sending.ended(&SpanEnd {
                outcome: (!is_ours).then_some("superseded"),
                ..SpanEnd::default()
            });
        }
    }
}
