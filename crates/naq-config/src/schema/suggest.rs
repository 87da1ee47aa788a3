//! "Did you mean": the name that a misspelt one is nearest to.

use std::collections::BTreeSet;

use super::keys;
use super::path::{fits, is_wildcard};

/// Longer names are not compared: nobody misspells one, and the comparison is quadratic.
const MAX_COMPARED: usize = 64;

/// The message for an unknown key: the nearest key of the same section, or else all of them.
pub(crate) fn suggest<S: AsRef<str>>(path: &[S]) -> String {
    let Some((last, parents)) = path.split_last() else {
        return "unknown key".to_owned();
    };
    let siblings = names_below(parents);
    if let Some(near) = nearest(last.as_ref(), siblings.iter().copied()) {
        return format!("unknown key; did you mean `{near}`?");
    }
    if siblings.is_empty() {
        return "unknown key".to_owned();
    }
    let known: Vec<_> = siblings.into_iter().collect();
    format!("unknown key; known here: {}", known.join(", "))
}

/// The candidate that needs the fewest edits, if that is about a third of its length at most.
pub(crate) fn nearest<'c>(
    text: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let text: Vec<char> = text.chars().take(MAX_COMPARED + 1).collect();
    if text.len() > MAX_COMPARED {
        return None;
    }
    let near = |candidate: &'c str| {
        let edits = edits(&text, &candidate.chars().collect::<Vec<_>>());
        (edits <= (candidate.len() / 3).max(1)).then_some((edits, candidate))
    };
    let best = candidates.into_iter().filter_map(near).min();
    best.map(|(_, candidate)| candidate)
}

fn names_below<S: AsRef<str>>(parents: &[S]) -> BTreeSet<&'static str> {
    let below = |path: &'static str| {
        let mut pattern = path.split('.');
        let inside = parents
            .iter()
            .all(|s| pattern.next().is_some_and(|p| fits(p, s.as_ref())));
        pattern.next().filter(|name| inside && !is_wildcard(name))
    };
    let mut names: BTreeSet<_> = keys().filter_map(|spec| below(spec.path)).collect();
    if parents.is_empty() {
        names.insert("environments");
    }
    names
}

/// Edits between two words, where swapping two neighbours counts once.
fn edits(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let differs = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + differs);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_gets_the_nearest_name() {
        for (path, want) in [
            (vec!["workers", "concurency"], "concurrency"),
            (vec!["nats", "server"], "servers"),
            (vec!["worker"], "workers"),
            (vec!["nats", "tls", "ca_flie"], "ca_file"),
            (vec!["queues", "configs", "x", "ackwait"], "ack_wait"),
        ] {
            let message = suggest(&path);
            assert_eq!(
                message,
                format!("unknown key; did you mean `{want}`?"),
                "{path:?}"
            );
        }
    }

    #[test]
    fn a_strange_key_gets_the_list() {
        assert_eq!(
            suggest(&["results", "colour"]),
            "unknown key; known here: max_bytes, notes_max_bytes, notes_ttl, replicas, storage, ttl"
        );
        assert!(
            suggest(&["x".repeat(500)]).contains("environments, events, nats, payloads, queues")
        );
    }
}
