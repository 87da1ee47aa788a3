//! Names of what belongs to recurring schedules.

use super::Names;
use crate::model::ScheduleName;

impl Names {
    /// The durable consumer of all firings, shared by all workers.
    pub(crate) const FIRES_CONSUMER: &'static str = "naq-schedules";

    /// What is known of a recurring schedule.
    pub(crate) fn recurring(&self, name: &ScheduleName) -> String {
        format!("{}.recurring.{name}", self.prefix)
    }

    /// All recurring schedules.
    pub(crate) fn all_recurring(&self) -> String {
        format!("{}.recurring.*", self.prefix)
    }

    /// Where the next firing of a recurring schedule sleeps.
    pub(crate) fn arm(&self, name: &ScheduleName) -> String {
        format!("{}.arm.{name}", self.prefix)
    }

    /// All armed firings of recurring schedules.
    pub(crate) fn all_arms(&self) -> String {
        format!("{}.arm.*", self.prefix)
    }

    /// Where a firing of a recurring schedule waits for a worker.
    pub(crate) fn fire(&self, name: &ScheduleName) -> String {
        format!("{}.fire.{name}", self.prefix)
    }

    /// All firings.
    pub(crate) fn fires_filter(&self) -> String {
        format!("{}.fire.*", self.prefix)
    }

    /// The schedule of a subject of [`Self::recurring`], [`Self::arm`] or [`Self::fire`].
    pub(crate) fn parse_schedule(subject: &str) -> Option<ScheduleName> {
        ScheduleName::new(subject.rsplit('.').next()?).ok()
    }
}
