//! What is wrong with a timetable.

/// The text is no cron expression. A retry does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CronError(String);

/// The text is no time zone that is known here. A retry does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no time zone {0:?}: write a name of the IANA database, like Europe/Amsterdam or UTC"
)]
pub struct InvalidZone(pub(super) String);

impl CronError {
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }

    pub(super) fn field(name: &str, problem: impl std::fmt::Display) -> Self {
        Self(format!("the field {name} {problem}"))
    }
}

/// The parts do not make a timetable. A retry does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimetableError {
    /// The cron expression is wrong.
    #[error(transparent)]
    Cron(#[from] CronError),
    /// The zone is unknown.
    #[error(transparent)]
    Zone(#[from] InvalidZone),
    /// The interval is too short, too long, or no whole number of seconds or, below one second, milliseconds.
    #[error(
        "an interval of {0:?}: write whole seconds, from 1 second to 10 years, or 50 to 999 whole milliseconds"
    )]
    Interval(std::time::Duration),
    /// A time is outside the years 1970 to 9999.
    #[error("the {0} is outside the years 1970 to 9999")]
    Time(&'static str),
}
