//! What ends a command early: message, causes, what to do, and the exit code.

use std::error::Error;
use std::io;

use naq::connection::{ConnectionError, ConnectionErrorKind};
use naq::embedded::{EmbeddedError, EmbeddedErrorKind};
use naq::{ConfigError, JobsError, JobsErrorKind};

use crate::exit_code;

/// A command has failed.
#[derive(Debug)]
pub(crate) struct CliError {
    pub(crate) code: u8,
    /// A fragment that fits after "error: "; `None` if there is nothing to say.
    pub(crate) message: Option<String>,
    pub(crate) causes: Vec<String>,
    pub(crate) hint: Option<String>,
}

impl CliError {
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            message: Some(message.into()),
            causes: Vec::new(),
            hint: None,
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(exit_code::USAGE, message)
    }

    /// An end without a message.
    pub(crate) fn silent(code: u8) -> Self {
        Self {
            code,
            message: None,
            causes: Vec::new(),
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn because(mut self, cause: &(dyn Error + 'static)) -> Self {
        let mut next = Some(cause);
        while let Some(cause) = next {
            let text = cause.to_string();
            // Many errors repeat what lies below them.
            if !self.causes.last().is_some_and(|last| last.contains(&text)) {
                self.causes.push(text);
            }
            next = cause.source();
        }
        self
    }

    /// A server could not be reached at the first attempt.
    pub(crate) fn unreachable(servers: &[String], error: &ConnectionError) -> Self {
        use ConnectionErrorKind as Kind;
        let shown: Vec<_> = servers
            .iter()
            .map(|url| naq::config::redact_url(url))
            .collect();
        let message = format!("failed to connect to {}", shown.join(", "));
        let (code, hint) = match error.kind() {
            Kind::InvalidSettings => (exit_code::CONFIGURATION, "check the section `nats`"),
            Kind::AuthFailed => (
                exit_code::CONNECTION,
                "the server runs, but refuses the credentials: check `nats.auth`",
            ),
            Kind::Tls => (exit_code::CONNECTION, "check `nats.tls`"),
            _ => (
                exit_code::CONNECTION,
                "is the server running? Start one with `naq dev`, or name another with --nats-url",
            ),
        };
        Self::new(code, message).because(error).hint(hint)
    }
}

impl From<JobsError> for CliError {
    fn from(error: JobsError) -> Self {
        use JobsErrorKind as Kind;
        let (code, hint) = match error.kind() {
            Kind::InvalidName
            | Kind::InvalidPayload
            | Kind::TooLarge
            | Kind::InvalidSchedule
            | Kind::InvalidWorkflow => (exit_code::USAGE, None),
            Kind::AlreadyExists => (exit_code::USAGE, None),
            Kind::Configuration => (exit_code::CONFIGURATION, None),
            Kind::Unsupported => (exit_code::CONNECTION, None),
            Kind::Connection | Kind::Unavailable => (
                exit_code::CONNECTION,
                Some("`naq connection doctor` finds out what is wrong"),
            ),
            Kind::OutcomeUnknown => (
                exit_code::CONNECTION,
                Some(
                    "it may or may not have happened; look, or repeat it (an enqueue with the same --id); \
                     `naq connection doctor` finds out what is wrong",
                ),
            ),
            Kind::NotFound => (exit_code::NOT_FOUND, None),
            Kind::JobFailed | Kind::JobCancelled => (exit_code::JOB_FAILED, None),
            Kind::Timeout => (exit_code::TIMEOUT, None),
            _ => (exit_code::INTERNAL, None),
        };
        let mut failed = Self::new(code, error.to_string());
        if let Some(source) = error.source() {
            failed = failed.because(source);
        }
        failed.hint = hint.map(str::to_owned);
        failed
    }
}

impl From<EmbeddedError> for CliError {
    fn from(error: EmbeddedError) -> Self {
        let code = match error.kind() {
            EmbeddedErrorKind::System => exit_code::INTERNAL,
            _ => exit_code::CONNECTION,
        };
        let mut failed = Self::new(code, error.to_string());
        if let Some(source) = error.source() {
            failed = failed.because(source);
        }
        failed
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::new(exit_code::CONFIGURATION, error.to_string())
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        // The reader of a pipe has gone; that is how `naq ... | head` ends.
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::silent(exit_code::OK);
        }
        Self::new(exit_code::INTERNAL, "failed to write the output").because(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_goes_away_is_no_failure() {
        let error = CliError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((error.code, error.message), (exit_code::OK, None));
    }

    #[test]
    fn a_cause_that_the_one_above_shows_already_is_left_out() {
        let below = io::Error::other("connection refused");
        let error = CliError::usage("x").because(&below);
        assert_eq!(error.causes, ["connection refused"]);
    }
}
