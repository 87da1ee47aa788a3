//! Outcomes: read, awaited by push, listed page by page, removed.

mod filter;
mod record;
mod store;
mod wait;

pub use filter::ResultFilter;
pub(crate) use record::parse;
pub use store::{ResultPage, Results};
