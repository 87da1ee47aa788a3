//! Why a job does not run: facts from the server, and what follows from them.
//!
//! ```text
//!   Jobs::explain ──► gather ──► Facts ──► reasons (pure, with its table) ──► Explanation
//! ```

mod facts;
mod flow;
mod gather;
mod holders;
mod reason;
mod reason_text;
mod reasons;
mod schedule;
mod text;

pub use facts::{Facts, Hold, PlaceHolder, WorkerFact};
pub use flow::FlowReason;
pub use reason::Reason;
pub use reasons::reasons;
pub use schedule::{ScheduleExplanation, ScheduleReason};

/// Why a job does not run, or what became of it.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// What was seen.
    pub facts: Facts,
    /// What follows, the most telling first; never empty.
    pub reasons: Vec<Reason>,
}
