//! A network that fails on command.
//!
//! ```text
//!   client ──► port ── door: open, refusing, black hole ──► connection ──► pipe to the server ──► server
//!              handle: what tests call                                └──◄ pipe to the client ◄──┘
//! ```
//!
//! `handle` is what a test holds, `orders` what it has ordered, `door` what becomes of a new
//! connection, `pipe` carries bytes one way, `tally` counts.

mod door;
mod handle;
mod orders;
mod pipe;
mod tally;

pub use handle::FaultProxy;
pub use orders::Direction;
