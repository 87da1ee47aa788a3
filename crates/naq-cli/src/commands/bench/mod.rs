//! `naq bench`: what jobs cost, measured against the raw client doing the same at the server.
//!
//! ```text
//!   run ──► rows ──► enqueue, drain, latency, idle, memory, scale, workers, events     one file per measurement
//!    │                  ├────► stage ──► server, prefix, both sides
//!    │                  ├────► leaders             which node of a cluster leads the streams
//!    │                  ├────► sides ──► raw       both sides of a case; the raw client's side
//!    │                  ├────► load                payload, kind, jobs in store
//!    │                  ├────► cost ──► usage      CPU and messages of a job, on both sides
//!    │                  └────► child ──► usage     worker processes of their own; CPU and memory of a process
//!    └────► report ──► svg, row ──► samples        figures, targets, table, JSON, page and pictures
//! ```

mod args;
mod child;
mod cost;
mod drain;
mod enqueue;
mod events;
mod idle;
mod latency;
mod leaders;
mod load;
mod memory;
mod raw;
mod report;
mod row;
mod rows;
mod run;
mod samples;
mod scale;
mod sides;
mod stage;
mod svg;
mod usage;
mod workers;

pub(crate) use args::Args;
pub(crate) use run::run;
