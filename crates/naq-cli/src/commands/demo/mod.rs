//! `naq demo`: a real server, real workers, real files, and numbers that are checked.
//!
//! ```text
//!   run ──► files ──► text              which files, and what is in them: counted directly
//!    ├────► stage ──► work ──► ledger   server, workers, handlers; what the handlers saw
//!    ├────► crowd                       the jobs, enqueued
//!    ├────► progress                    the live display
//!    └────► audit ──► report            what the server has recorded, compared; table and JSON
//! ```

mod audit;
mod checks;
mod crowd;
mod files;
mod ledger;
mod progress;
mod report;
mod run;
mod stage;
mod text;
mod work;

pub(crate) use run::{Args, run};
