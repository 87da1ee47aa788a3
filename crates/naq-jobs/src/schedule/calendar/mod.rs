//! When something happens again and again: pure, without a clock of its own.

mod cron;
mod dst;
mod error;
mod field;
mod firing;
mod timetable;

pub use cron::Cron;
pub use dst::{Dst, DstMark, Zone};
pub use error::{CronError, InvalidZone, TimetableError};
pub(super) use timetable::Rule;
pub use timetable::{Firing, Firings, Timetable};
