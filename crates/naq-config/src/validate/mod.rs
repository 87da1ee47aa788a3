//! The rules that a single value cannot show: ranges, names and combinations.
//!
//! Each rule looks at finished settings and says which keys it is about. The problem is shown
//! where the first of them was set; a key whose value could not be read is left alone.

mod nats;
mod queues;
mod ranges;
mod workers;

pub(crate) use ranges::number_range;

use std::collections::BTreeSet;

use crate::{ConfigError, Origin, Origins, Problem, Settings};

impl Settings {
    /// Checks settings that were made in code, as [`Loader::load`](crate::Loader::load) checks what
    /// it reads. Nothing is dialled.
    ///
    /// ```
    /// let mut settings = naq_config::Settings::default();
    /// settings.nats.servers.clear();
    /// let report = settings.validate().unwrap_err();
    /// assert_eq!(report.problems()[0].message, "No NATS servers configured");
    /// ```
    ///
    /// # Errors
    /// All problems in one report: values out of range, names, combinations that cannot work.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let problems = check(self, &Origins::default(), &BTreeSet::new());
        match problems.is_empty() {
            true => Ok(()),
            false => Err(ConfigError::new(problems)),
        }
    }
}

/// Checks every rule.
pub(crate) fn check(
    settings: &Settings,
    origins: &Origins,
    broken: &BTreeSet<String>,
) -> Vec<Problem> {
    let mut findings = Findings {
        origins,
        broken,
        problems: Vec::new(),
    };
    nats::check(&settings.nats, &mut findings);
    queues::check(settings, &mut findings);
    workers::check(&settings.workers, &mut findings);
    ranges::check(settings, &mut findings);
    findings.problems
}

struct Findings<'a> {
    origins: &'a Origins,
    broken: &'a BTreeSet<String>,
    problems: Vec<Problem>,
}

impl Findings<'_> {
    /// A problem of one key.
    fn key(&mut self, key: &str, message: impl Into<String>) {
        self.keys(&[key], message);
    }

    /// A problem of several keys together, the most likely to be wrong first.
    fn keys(&mut self, keys: &[&str], message: impl Into<String>) {
        if keys.iter().any(|key| self.broken.contains(*key)) {
            return;
        }
        let was_set = |key: &&&str| *self.origins.of(key) != Origin::Default;
        let Some(key) = keys.iter().find(was_set).or(keys.first()) else {
            return;
        };
        let origin = self.origins.of(key).clone();
        self.problems.push(Problem::new(origin, *key, message));
    }

    /// A problem of one element of a list.
    fn element(&mut self, key: &str, index: usize, message: impl Into<String>) {
        if !self.broken.contains(key) {
            let origin = self.origins.of_element(key, index).clone();
            self.problems
                .push(Problem::new(origin, format!("{key}[{index}]"), message));
        }
    }
}
