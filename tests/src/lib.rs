//! What the tests and the worker process that they start have in common.

mod mixed;

pub use mixed::{MIXED, Mixed};
