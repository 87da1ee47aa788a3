//! Keeps one server running.
//!
//! `machine` decides (pure), `task` does it, `status` is what others see of it, `order` is what they may ask for.

mod machine;
mod order;
mod status;
mod task;

pub use machine::RestartPolicy;
pub use status::{Phase, Status};

pub(crate) use order::{Order, Orders};
pub(crate) use task::Supervisor;
