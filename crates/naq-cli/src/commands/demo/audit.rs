//! What the server has recorded of the demo's jobs: read back from the streams, not from our own counters.

use std::collections::{HashMap, HashSet};

use naq::{DeadLetter, JobId, Jobs, Outcome};

use super::crowd::Crowd;
use super::text::TextCount;
use crate::error::CliError;

/// Most that one request brings.
const PAGE: usize = 1000;

/// What the server has recorded.
#[derive(Debug)]
pub(super) struct Audit {
    outcomes: HashMap<String, Outcome>,
    pub(super) dead: Vec<DeadLetter>,
}

impl Audit {
    /// Reads all outcomes and dead letters of `crowd`.
    pub(super) async fn read(jobs: &Jobs, crowd: &Crowd) -> Result<Self, CliError> {
        // A kept store may have those of another run, too.
        let ours: HashSet<&str> = crowd.ids().map(JobId::as_str).collect();
        let mut outcomes = HashMap::new();
        let mut from = Some(0);
        while let Some(start) = from {
            let page = jobs.results().list(start, PAGE).await?;
            let known = page
                .outcomes
                .into_iter()
                .filter(|o| ours.contains(o.id.as_str()));
            outcomes.extend(known.map(|outcome| (outcome.id.clone(), outcome)));
            from = page.next;
        }
        let mut dead = Vec::new();
        let mut from = Some(0);
        while let Some(start) = from {
            let page = jobs.dead_letters().list(None, start, PAGE).await?;
            dead.extend(
                page.letters
                    .into_iter()
                    .filter(|l| ours.contains(l.id.as_str())),
            );
            from = page.next;
        }
        Ok(Self { outcomes, dead })
    }

    pub(super) fn outcome(&self, id: &JobId) -> Option<&Outcome> {
        self.outcomes.get(id.as_str())
    }

    /// Whether each job has an outcome.
    pub(super) fn is_complete(&self, crowd: &Crowd) -> bool {
        self.outcomes.len() == crowd.len()
    }

    /// Jobs that completed.
    pub(super) fn completed(&self) -> u64 {
        count(
            self.outcomes
                .values()
                .filter(|outcome| outcome.is_success()),
        )
    }

    pub(super) fn is_dead(&self, id: &JobId) -> bool {
        self.dead.iter().any(|letter| letter.id == *id)
    }

    /// Jobs that were retried, each as often as it was.
    pub(super) fn retried(&self) -> u64 {
        self.outcomes
            .values()
            .map(|outcome| u64::from(outcome.attempt.saturating_sub(1)))
            .sum()
    }

    /// Jobs that are neither completed nor in the dead letters.
    pub(super) fn lost(&self, crowd: &Crowd) -> u64 {
        count(
            crowd.ids().filter(|id| {
                !self.outcome(id).is_some_and(Outcome::is_success) && !self.is_dead(id)
            }),
        )
    }

    /// What the job has found in its file.
    pub(super) fn count_of(&self, id: &JobId) -> Option<TextCount> {
        let result = self.outcome(id)?.result.as_ref()?;
        serde_json::from_str(result.get()).ok()
    }

    /// Sums of what the jobs have found: files, lines, words.
    pub(super) fn sums(&self, crowd: &Crowd) -> (u64, u64, u64) {
        let found = crowd.files.iter().filter_map(|id| self.count_of(id));
        found.fold((0, 0, 0), |(files, lines, words), count| {
            (files + 1, lines + count.lines, words + count.words)
        })
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    u64::try_from(items.count()).unwrap_or(u64::MAX)
}
