//! Jobs that wait for one another: any graph without circles.
//!
//! No process of its own, no poll, no slot held: a workflow is one record that whoever sees an end advances, together with
//! the jobs that may begin, all or none. See `docs/design/0009-workflows.md`.

mod advance;
mod begin;
mod cache;
mod change;
mod compound;
mod draft;
mod extend;
mod graph;
mod handle;
mod hear;
mod member;
#[cfg(test)]
mod model;
mod notice;
mod outcome;
mod place;
mod ready;
mod resolve;
mod retry;
mod settle;
mod signal;
mod state;
mod status;
mod stop;
mod store;
mod submit;
mod task;
mod telling;
mod traces;
mod unrun;
mod workflows;

pub use draft::Workflow;
pub use graph::On;
pub use handle::WorkflowHandle;
pub use member::Membership;
pub(crate) use notice::Notice;
pub use place::{FlowNodeRef, FlowPlace, NodePlace};
pub(crate) use place::{cancel_open_node, find_place};
pub(crate) use settle::Advancer;
pub use state::{NodeState, WorkflowState};
pub use status::{NodeKind, NodeStatus, WorkflowStatus};
pub(crate) use submit::{submit, submit_after};
pub use workflows::{WorkflowPage, WorkflowSummary, Workflows};
