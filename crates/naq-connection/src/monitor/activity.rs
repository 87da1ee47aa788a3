//! A span that says how it ended and how long it took, also when it is dropped half-way.

use std::time::{Duration, Instant};

use tracing::Span;

/// The span needs the empty fields `outcome` and `duration` (milliseconds).
#[derive(Debug)]
pub(crate) struct Activity {
    span: Span,
    start: Instant,
    outcome: &'static str,
}

impl Activity {
    pub(crate) fn start(span: Span) -> Self {
        Self {
            span,
            start: Instant::now(),
            outcome: "cancelled",
        }
    }

    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn end(mut self, outcome: &'static str) {
        self.outcome = outcome;
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        self.span.record("outcome", self.outcome);
        let millis = self.start.elapsed().as_secs_f64() * 1000.0;
        self.span.record("duration", millis);
    }
}
