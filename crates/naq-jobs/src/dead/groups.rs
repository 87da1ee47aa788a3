//! Dead letters by what they have in common.

use std::collections::HashMap;

use super::DeadLetter;
use crate::model::JobId;

/// Groups that are kept; letters of further ones are only counted.
const MOST: usize = 1000;

/// Dead letters that died of the same error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadGroup {
    /// Names the group, see [`DeadLetter::fingerprint`].
    pub fingerprint: String,
    /// Why they died, one of the [`crate::FailureReason`] words.
    pub reason: String,
    /// Their kind, if it was readable.
    pub kind: Option<String>,
    /// The error without what differs: numbers, ids, quoted parts.
    pub error: String,
    /// How many there are.
    pub count: u64,
    /// Milliseconds since 1970 of the first death.
    pub first_ms: u64,
    /// Milliseconds since 1970 of the last death.
    pub last_ms: u64,
    /// The newest of them, and its error as it was.
    pub sample: (JobId, String),
}

/// All groups.
#[derive(Debug, Default)]
pub struct DeadGroups {
    /// The groups, the largest first.
    pub groups: Vec<DeadGroup>,
    /// Letters in all of them.
    pub letters: u64,
    /// Letters of rare errors that got no group, since there are more than 1000.
    pub ungrouped: u64,
}

/// Puts letters into groups, in bounded memory.
#[derive(Debug, Default)]
pub(super) struct Grouping {
    groups: HashMap<String, DeadGroup>,
    ungrouped: u64,
}

impl Grouping {
    pub(super) fn add(&mut self, letter: DeadLetter) {
        let fingerprint = letter.fingerprint();
        if let Some(group) = self.groups.get_mut(&fingerprint) {
            group.count += 1;
            group.first_ms = group.first_ms.min(letter.dead_at_ms);
            group.last_ms = group.last_ms.max(letter.dead_at_ms);
            group.sample = (letter.id, letter.error);
        } else if self.groups.len() >= MOST {
            self.ungrouped += 1;
        } else {
            let group = DeadGroup {
                fingerprint: fingerprint.clone(),
                error: letter.normalised_error(),
                reason: letter.reason,
                kind: letter.kind,
                count: 1,
                first_ms: letter.dead_at_ms,
                last_ms: letter.dead_at_ms,
                sample: (letter.id, letter.error),
            };
            self.groups.insert(fingerprint, group);
        }
    }

    pub(super) fn finish(self) -> DeadGroups {
        let mut groups: Vec<DeadGroup> = self.groups.into_values().collect();
        groups.sort_by(|a, b| (b.count, &a.fingerprint).cmp(&(a.count, &b.fingerprint)));
        DeadGroups {
            letters: groups.iter().map(|group| group.count).sum(),
            groups,
            ungrouped: self.ungrouped,
        }
    }
}
