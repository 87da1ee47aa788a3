//! Finds the row of the key table that a path means.

use super::{KeySpec, keys};
use crate::names::{check_job_kind, check_pool_name, check_queue_name};

/// What the table has at a path.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Found {
    /// A key that takes a value. It may also have keys below it: a pool or a queue.
    Key(&'static KeySpec),
    /// A section: only keys below it take values.
    Section,
    /// Nothing.
    Unknown,
}

/// Looks up a path of a file, where each segment is one key of a nested map.
pub(crate) fn find<S: AsRef<str>>(path: &[S]) -> Found {
    let mut found = Found::Unknown;
    for spec in keys() {
        let pattern: Vec<_> = spec.path.split('.').collect();
        if pattern.len() < path.len() || !pattern.iter().zip(path).all(|(p, s)| fits(p, s.as_ref()))
        {
            continue;
        }
        if pattern.len() == path.len() {
            return Found::Key(spec);
        }
        found = Found::Section;
    }
    found
}

/// Splits a path written with dots. A job kind may have dots too, so the table decides.
pub(crate) fn find_dotted(path: &str) -> Option<Vec<String>> {
    let segments: Vec<_> = path.split('.').collect();
    let split = |spec: &KeySpec| fit_dotted(&spec.path.split('.').collect::<Vec<_>>(), &segments);
    keys().find_map(split)
}

fn fit_dotted(pattern: &[&str], segments: &[&str]) -> Option<Vec<String>> {
    let Some((first, pattern)) = pattern.split_first() else {
        return segments.is_empty().then(Vec::new);
    };
    let longest = if is_wildcard(first) {
        segments.len()
    } else {
        segments.len().min(1)
    };
    (1..=longest).find_map(|taken| {
        let (name, rest) = (segments[..taken].join("."), &segments[taken..]);
        // A name that ends the pattern takes one segment, or else `pools.a.typo` would be a pool.
        let greedy_end = pattern.is_empty() && taken > 1;
        if greedy_end || !fits(first, &name) {
            return None;
        }
        let mut path = vec![name];
        path.extend(fit_dotted(pattern, rest)?);
        Some(path)
    })
}

/// Checks the names in a path that the table has.
pub(crate) fn check_names<S: AsRef<str>>(path: &[S]) -> Result<(), String> {
    for (at, segment) in path.iter().enumerate() {
        let name = segment.as_ref();
        let checked = match wildcard_at(&path[..=at]) {
            Some("<queue>") => check_queue_name(name).map_err(|e| e.to_string()),
            Some("<pool>") => check_pool_name(name).map_err(|e| e.to_string()),
            Some("<kind>") => check_job_kind(name).map_err(|e| e.to_string()),
            Some("<variable>") if name.is_empty() || name.contains(['=', '\0']) => {
                Err("not the name of an environment variable".to_owned())
            }
            _ => Ok(()),
        };
        checked?;
    }
    Ok(())
}

/// The wildcard that the last segment of `path` stands for.
fn wildcard_at<S: AsRef<str>>(path: &[S]) -> Option<&'static str> {
    keys().find_map(|spec| {
        let mut pattern = spec.path.split('.');
        let fitting = path
            .iter()
            .all(|s| pattern.next().is_some_and(|p| fits(p, s.as_ref())));
        let last = spec.path.split('.').nth(path.len() - 1)?;
        (fitting && is_wildcard(last)).then_some(last)
    })
}

pub(super) fn is_wildcard(segment: &str) -> bool {
    segment.starts_with('<')
}

pub(super) fn fits(pattern: &str, segment: &str) -> bool {
    is_wildcard(pattern) || pattern == segment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dotted_path_is_split_as_the_table_says() {
        for (path, want) in [
            ("nats.servers", Some(vec!["nats", "servers"])),
            (
                "queues.configs.a.ack_wait",
                Some(vec!["queues", "configs", "a", "ack_wait"]),
            ),
            (
                "queues.configs.a.b.ack_wait",
                Some(vec!["queues", "configs", "a.b", "ack_wait"]),
            ),
            (
                "workers.handlers.email.send.timeout",
                Some(vec!["workers", "handlers", "email.send", "timeout"]),
            ),
            (
                "workers.handlers.a.environment.B",
                Some(vec!["workers", "handlers", "a", "environment", "B"]),
            ),
            ("workers.pools.a.typo", None),
            ("nats", None),
            ("nats.nothing", None),
            ("", None),
        ] {
            let want: Option<Vec<String>> =
                want.map(|want| want.into_iter().map(str::to_owned).collect());
            assert_eq!(find_dotted(path), want, "{path}");
        }
    }

    #[test]
    fn a_nested_path_is_a_key_a_section_or_unknown() {
        assert!(matches!(find(&["nats", "tls"]), Found::Section));
        assert!(matches!(find(&["nats", "tls", "enabled"]), Found::Key(_)));
        assert!(matches!(find(&["workers", "pools", "any"]), Found::Key(_)));
        assert!(matches!(find(&["nats", "typo"]), Found::Unknown));
        assert!(matches!(
            find(&["nats", "servers", "deeper"]),
            Found::Unknown
        ));
    }

    #[test]
    fn names_in_a_path_follow_their_rules() {
        assert_eq!(
            check_names(&["workers", "handlers", "a.b", "timeout"]),
            Ok(())
        );
        assert!(check_names(&["queues", "configs", "a.b", "ack_wait"]).is_err());
        assert!(check_names(&["workers", "handlers", "a", "environment", "A=B"]).is_err());
    }
}
