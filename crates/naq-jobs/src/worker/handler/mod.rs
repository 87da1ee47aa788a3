//! Forms of a handler: functions with extractors, blocking functions, programs; what is around them; how a kind changes.

mod blocking;
mod command;
mod extract;
mod failure;
mod function;
mod layers;
mod registry;
mod state;
mod threads;
mod upcast;

pub(super) use blocking::Blocking;
pub(super) use command::CommandJob;
pub use command::EXIT_FATAL;
pub use extract::FromJob;
pub use failure::JobError;
pub(super) use failure::Wish;
pub use function::Handler;
pub(super) use function::Typed;
pub use layers::{AttemptError, AttemptReply, AttemptRequest, AttemptService};
pub(super) use layers::{Chain, stack};
pub(super) use registry::{Handle, Refusal, Registry};
pub use state::State;
pub(super) use state::States;
pub(super) use threads::Threads;
