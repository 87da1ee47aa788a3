//! Outcomes: read, awaited by push, listed page by page, removed.

mod fence;
mod filter;
mod record;
mod store;
mod wait;

pub(crate) use fence::{claim_headers, outcome_headers, strict_headers};
pub use filter::ResultFilter;
pub(crate) use record::parse;
pub use store::{ResultPage, Results};
