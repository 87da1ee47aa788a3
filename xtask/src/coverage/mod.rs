//! `cargo xtask coverage`: which lines of the connection and the configuration their tests run.
//!
//! ```text
//!   cargo test, built with counters ──► llvm-profdata ──► llvm-cov ──► lines ──► table, floor
//! ```
//!
//! Only what is ours is built with counters: the compiler is started through this program, which
//! cargo does for packages of this repository alone. Lines of unit tests don't count.

mod lines;
mod run;
mod table;
mod tools;
mod wrapper;

pub(crate) use self::run::{Show, run};
pub(crate) use self::wrapper::{compile, is_compiler};
