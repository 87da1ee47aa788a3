//! Recurring work: when it is due, what the server keeps of it, and what happens when it fires.
//!
//! No process of its own, no leader and no poll: a schedule is a record and one message that the server holds back until
//! the next instant. Any worker handles what fires. See `docs/design/0004-schedules.md`.

mod advance;
mod beat;
mod builder;
mod calendar;
mod fire;
mod info;
mod kept_back;
mod messages;
mod plan;
mod policy;
mod record;
mod rule;
mod run;
mod schedules;
mod store;
mod telling;
mod timers;
mod traces;

pub(crate) use advance::LastJob;
pub(crate) use beat::Beats;
pub use builder::NewSchedule;
pub use calendar::{
    Cron, CronError, Dst, DstMark, Firing, Firings, InvalidZone, Timetable, TimetableError, Zone,
};
pub(crate) use fire::{Fired, fire};
pub use info::{Schedule, ScheduleRule};
pub(crate) use kept_back::look;
pub(crate) use messages::turn_of;
pub use plan::ScheduleChange;
pub use policy::{CatchUp, Overlap};
pub use record::ScheduleState;
pub use schedules::{SchedulePage, Schedules};
pub(crate) use timers::place_all_gone;
