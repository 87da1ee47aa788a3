//! The sections as one table.

use super::events::EVENTS;
use super::nats::NATS;
use super::payloads::PAYLOADS;
use super::queues::QUEUES;
use super::results::RESULTS;
use super::workers::WORKERS;
use crate::schema::spec::Store;
use crate::schema::{Form, KeySpec};

pub(super) const fn key(
    path: &'static str,
    form: Form,
    doc: &'static str,
    store: Store,
) -> KeySpec {
    KeySpec::new(path, form, doc, store)
}

/// Every key, in the order of the sections.
pub(crate) fn keys() -> impl Iterator<Item = &'static KeySpec> {
    NATS.iter()
        .chain(QUEUES)
        .chain(WORKERS)
        .chain(RESULTS)
        .chain(PAYLOADS)
        .chain(EVENTS)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_path_is_there_twice_and_only_replicas_share_a_variable() {
        let paths: BTreeSet<_> = keys().map(|spec| spec.path).collect();
        assert_eq!(paths.len(), keys().count());
        let all: Vec<_> = keys().flat_map(|spec| spec.variables).collect();
        let once: BTreeSet<_> = all.iter().collect();
        assert_eq!(all.len(), once.len() + 1);
    }

    #[test]
    fn every_key_is_documented_in_whole_sentences() {
        for spec in keys() {
            assert!(
                spec.doc.ends_with('.') && spec.doc.len() > 5,
                "{}",
                spec.path
            );
        }
    }
}
