//! Recurring work: when it is due, what the server keeps of it, and what happens when it fires.

mod calendar;

pub use calendar::{
    Cron, CronError, Dst, DstMark, Firing, Firings, InvalidZone, Timetable, TimetableError, Zone,
};
