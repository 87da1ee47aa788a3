//! Versions of nats-server.

use std::fmt;

/// Oldest nats-server that NAQ's jobs run on: message schedules with cron and zones came with it.
pub const MINIMUM_VERSION: Version = Version::new(2, 14, 0);

/// The version that is fetched when none is found; the one NAQ is developed and tested on.
pub const PINNED_VERSION: Version = Version::new(2, 15, 1);

/// Version of a nats-server. A pre-release counts as its release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Version {
    /// `major.minor.patch`.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    /// Reads the output of `nats-server --version`, such as `nats-server: v2.15.1`.
    pub(super) fn from_output(output: &str) -> Option<Self> {
        let rest = output.trim().strip_prefix("nats-server: v")?;
        let mut numbers = rest.split(['.', '-', '+']).map(|part| part.parse().ok());
        Some(Self::new(
            numbers.next()??,
            numbers.next()??,
            numbers.next()??,
        ))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_releases_and_pre_releases() {
        let read = Version::from_output;
        assert_eq!(read("nats-server: v2.15.1\n"), Some(Version::new(2, 15, 1)));
        assert_eq!(
            read("nats-server: v2.14.0-RC.1"),
            Some(Version::new(2, 14, 0))
        );
        assert_eq!(read("nats-server: v2.14"), None);
        assert_eq!(read("hello"), None);
    }

    #[test]
    fn compares_numbers_and_not_texts() {
        assert!(Version::new(2, 9, 10) < MINIMUM_VERSION);
        assert!(PINNED_VERSION >= MINIMUM_VERSION);
    }
}
