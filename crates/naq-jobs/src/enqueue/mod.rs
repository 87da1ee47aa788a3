//! Putting jobs into the queue: one, or many at a time.

mod handle;
mod many;
mod one;
mod unique;

pub use handle::JobHandle;
pub(crate) use many::enqueue_many;
pub(crate) use one::{Landed, enqueue};
pub(crate) use unique::returning;
