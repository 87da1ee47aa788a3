//! Many jobs in one atomic batch: all or none. Any number of them in such chunks, with a cursor that is stored with each.

mod all;
mod bulk;
mod cursor;
mod together;

pub(crate) use all::enqueue_all;
pub use bulk::Bulk;
