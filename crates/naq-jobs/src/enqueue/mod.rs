//! Putting jobs into the queue: one, or many at a time.

mod batch;
mod handle;
mod many;
mod one;
mod prepared;
mod telling;
mod unique;

pub use batch::Bulk;
pub(crate) use batch::enqueue_all;
pub use handle::JobHandle;
pub(crate) use many::enqueue_many;
pub(crate) use one::{Landed, enqueue};
pub(crate) use prepared::{queue_of, take_headers};
pub(crate) use unique::returning;
