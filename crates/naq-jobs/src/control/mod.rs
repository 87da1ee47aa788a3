//! What is set at run time: paused, quiet, scaled, limited. Written under compare-and-set, pushed to the workers.
//!
//! `docs/design/0006-control.md` has the failure table.

mod change;
mod controls;
mod hear;
mod pause;
mod rate_text;
mod setting;
mod store;
mod telling;

pub(crate) use change::{push, use_level};
pub use controls::Controls;
pub(crate) use hear::{InLine, News, ParkedJob, TakenOver, hear};
pub(crate) use pause::{apply_pause, terms};
pub use setting::{KindSetting, Paused, QueueOrder, QueueSetting, WorkerSetting};
pub(crate) use store::{Versioned, kinds, read_kind, read_queue, read_worker, remove_worker};
