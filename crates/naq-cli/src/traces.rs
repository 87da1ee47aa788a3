//! Traces: exported as the standard variables of OpenTelemetry say, and continued where the caller has one.

use std::time::Duration;

use naq::otel::Export;
use naq::{EnteredTrace, TraceContext, enter_trace};

use crate::output::Output;

/// Time that the end of a command may take longer to send the last spans.
const LAST_FLUSH: Duration = Duration::from_secs(2);

/// What goes on until the end of the command.
#[derive(Debug)]
pub(crate) struct Traces {
    export: Option<Export>,
    // Whoever runs this command in a trace of its own says so in the environment.
    entered: Option<EnteredTrace>,
}

impl Traces {
    /// Begins. What the variables ask for in vain is a warning: no command fails for its traces.
    pub(crate) fn start(output: &Output) -> Self {
        let export = Export::from_environment("naq").unwrap_or_else(|error| {
            output.note(format!("warning: no traces are exported: {error}"));
            None
        });
        let read = |name| std::env::var(name).ok();
        let state = read("TRACESTATE");
        let context =
            read("TRACEPARENT").and_then(|text| TraceContext::new(&text, state.as_deref()));
        let entered = context.as_ref().map(enter_trace);
        Self { export, entered }
    }

    /// The command is done: what is gathered is sent.
    pub(crate) fn end(self) {
        drop(self.entered);
        if let Some(export) = self.export {
            export.shutdown(LAST_FLUSH);
        }
    }
}
