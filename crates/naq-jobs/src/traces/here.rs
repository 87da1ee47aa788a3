//! The trace that this thread works for at the moment, where nobody makes spans.

use std::cell::RefCell;

use crate::model::TraceContext;

thread_local! {
    static HERE: RefCell<Option<TraceContext>> = const { RefCell::new(None) };
}

/// The context of the job whose handler runs.
pub(super) fn here() -> Option<TraceContext> {
    HERE.with_borrow(Clone::clone)
}

/// Puts back what was before.
pub(super) struct Entered(Option<TraceContext>);

/// Works for a job with this context until what is returned is dropped.
pub(super) fn enter(context: &TraceContext) -> Entered {
    Entered(HERE.replace(Some(context.clone())))
}

impl Drop for Entered {
    fn drop(&mut self) {
        HERE.set(self.0.take());
    }
}
