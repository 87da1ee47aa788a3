//! What a test says about the jobs that were enqueued.

use std::fmt;

use naq_jobs::{Kind, ListedJob};
use serde::Serialize;
use serde_json::Value;

/// Describes jobs: their kind, and if wanted more.
#[derive(Debug, Clone)]
#[must_use = "a description asserts nothing by itself"]
pub struct Expected {
    kind: &'static str,
    args: Option<Value>,
    queue: Option<String>,
    count: Option<usize>,
}

impl Expected {
    /// Jobs of this kind.
    pub fn of<A, R>(kind: Kind<A, R>) -> Self {
        Self {
            kind: kind.name(),
            args: None,
            queue: None,
            count: None,
        }
    }

    /// With these arguments, compared as JSON.
    ///
    /// # Panics
    /// If they have no JSON form.
    pub fn args(mut self, args: impl Serialize) -> Self {
        match serde_json::to_value(args) {
            Ok(args) => self.args = Some(args),
            Err(e) => panic!("these arguments have no JSON form: {e}"),
        }
        self
    }

    /// On this queue.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Exactly so many; without it, at least one.
    pub fn count(mut self, count: usize) -> Self {
        self.count = Some(count);
        self
    }

    fn fits(&self, job: &ListedJob) -> bool {
        let payload = || {
            let text = job.payload.as_ref()?.get();
            serde_json::from_str::<Value>(text).ok()
        };
        job.kind.as_ref().is_some_and(|k| k == self.kind)
            && self.queue.as_ref().is_none_or(|q| job.queue.as_str() == q)
            && self.args.is_none() | (self.args == payload())
    }

    /// The complaint, unless `jobs` are as described.
    pub(super) fn complaint(&self, jobs: &[ListedJob]) -> Option<String> {
        let found = jobs.iter().filter(|job| self.fits(job)).count();
        let is_met = self.count.map_or(found > 0, |count| found == count);
        let list = || -> String { jobs.iter().map(line).collect() };
        (!is_met).then(|| {
            let there = match jobs.len() {
                0 => "nothing is enqueued".to_owned(),
                n => format!("{n} enqueued:\n{}", list()),
            };
            format!("expected {self}, found {found}; {there}")
        })
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            Some(count) => write!(f, "{count} jobs of the kind {}", self.kind)?,
            None => write!(f, "a job of the kind {}", self.kind)?,
        }
        if let Some(queue) = &self.queue {
            write!(f, " on the queue {queue}")?;
        }
        match &self.args {
            Some(args) => write!(f, " with {args}"),
            None => Ok(()),
        }
    }
}

fn line(job: &ListedJob) -> String {
    let kind = job.kind.as_deref().unwrap_or("?");
    let payload = job.payload.as_ref().map_or("unreadable", |p| p.get());
    format!("  {kind} on {}: {payload}\n", job.queue)
}
