//! The work of the soak test: one kind of job that can do all that a job can.

use naq_jobs::Kind;
use serde::{Deserialize, Serialize};

/// Does what its payload says, and returns as many letters as it is told.
pub const MIXED: Kind<Mixed, String> = Kind::new("mixed");

/// What a job of the soak test is to do.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Mixed {
    /// Time that it takes.
    pub millis: u64,
    /// Attempts that fail; the first is 1.
    pub fails: u32,
    /// Whether it is put off once, by its handler.
    pub snoozes: bool,
    /// Whether it tells of its progress.
    pub tells: bool,
    /// Letters of its result.
    pub result: usize,
    /// Makes the payload large.
    pub padding: String,
}
