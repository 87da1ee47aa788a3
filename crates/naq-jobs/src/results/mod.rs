//! Outcomes: read, awaited by push, listed page by page, removed.

mod record;
mod store;
mod wait;

pub(crate) use record::parse;
pub use store::{ResultPage, Results};
