//! Says that a node of a workflow has ended: for all who end jobs, and know nothing else of workflows.

mod tell;

pub(crate) use tell::tell_end;
