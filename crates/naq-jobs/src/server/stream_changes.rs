//! What differs between a stream and what the configuration asks for: pure.

use std::collections::BTreeSet;

use async_nats::jetstream::stream::Config;

use super::filters::overlap;

/// What differs and can never be updated.
pub(super) fn fixed_differences(wanted: &Config, found: &Config) -> Vec<String> {
    let mut list = Vec::new();
    if wanted.storage != found.storage {
        list.push(format!(
            "`storage` from {:?} to {:?}",
            found.storage, wanted.storage
        ));
    }
    if wanted.retention != found.retention {
        list.push(format!(
            "its retention from {:?} to {:?}",
            found.retention, wanted.retention
        ));
    }
    if wanted.allow_message_schedules && !found.allow_message_schedules {
        list.push("a stream without message schedules into one with them".to_owned());
    }
    let forbidden = [
        (found.sealed, "that it is sealed"),
        (found.deny_delete, "that it denies deleting messages"),
        (found.deny_purge, "that it denies purging"),
        (found.mirror.is_some(), "that it mirrors another stream"),
    ];
    list.extend(
        forbidden
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, what)| (*what).to_owned()),
    );
    list
}

/// What differs, as texts for the log.
pub(super) fn differences(found: &Config, merged: &Config) -> Vec<String> {
    let fields = |config| match serde_json::to_value(config) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (old, new) = (fields(found), fields(merged));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let text =
        |value: Option<&serde_json::Value>| value.map_or("none".to_owned(), |v| v.to_string());
    names
        .into_iter()
        .map(|name| (name, old.get(name), new.get(name)))
        .filter(|(_, old, new)| old != new)
        .map(|(name, old, new)| format!("{name}: {} -> {}", text(old), text(new)))
        .collect()
}

/// The found configuration with our keys in it.
pub(super) fn merge(wanted: &Config, found: &Config) -> Config {
    Config {
        subjects: together(&wanted.subjects, &found.subjects),
        num_replicas: wanted.num_replicas,
        max_age: wanted.max_age,
        max_bytes: wanted.max_bytes,
        max_messages: wanted.max_messages,
        max_message_size: wanted.max_message_size,
        discard: wanted.discard,
        discard_new_per_subject: wanted.discard_new_per_subject,
        no_ack: wanted.no_ack,
        allow_rollup: wanted.allow_rollup,
        max_messages_per_subject: wanted.max_messages_per_subject,
        max_consumers: wanted.max_consumers,
        allow_direct: wanted.allow_direct,
        allow_message_ttl: wanted.allow_message_ttl,
        allow_atomic_publish: wanted.allow_atomic_publish,
        duplicate_window: wanted.duplicate_window,
        ..found.clone()
    }
}

/// What either has. A newer version may have added subjects, and its workers run beside this one.
fn together(wanted: &[String], found: &[String]) -> Vec<String> {
    let is_new = |subject: &&String| !wanted.iter().any(|ours| overlap(ours, subject));
    let more = found.iter().filter(is_new);
    wanted.iter().chain(more).cloned().collect()
}

#[cfg(test)]
mod tests {
    use naq_config::Settings;

    use super::*;
    use crate::server::definition;
    use crate::wire::Names;

    #[test]
    fn subjects_of_a_newer_version_stay() {
        let wanted = definition::streams(&Names::new("naq"), &Settings::default()).remove(0);
        let mut found = wanted.clone();
        found.subjects.retain(|subject| subject != "naq.high.*.*");
        found.subjects.push("naq.later.*.*".to_owned());
        let merged = merge(&wanted, &found).subjects;
        assert!(merged.contains(&"naq.later.*.*".to_owned()));
        assert_eq!(merged.len(), wanted.subjects.len() + 1, "{merged:?}");
        // What lies over a subject of this version cannot stay beside it.
        found.subjects.push("naq.queue.>".to_owned());
        assert_eq!(merge(&wanted, &found).subjects, merged);
    }

    #[test]
    fn what_the_server_cannot_change_is_named() {
        let wanted = definition::streams(&Names::new("naq"), &Settings::default()).remove(0);
        let mut found = wanted.clone();
        found.num_replicas = 3;
        let merged = merge(&wanted, &found);
        assert_eq!(differences(&found, &merged), ["num_replicas: 3 -> 1"]);
        assert!(differences(&merged, &merged).is_empty());
        // Somebody's limit that would drop jobs is taken away again.
        found.max_messages = 10;
        let texts = differences(&found, &merge(&wanted, &found));
        assert_eq!(texts, ["max_msgs: 10 -> -1", "num_replicas: 3 -> 1"]);
        assert!(fixed_differences(&wanted, &found).is_empty());
        found.storage = async_nats::jetstream::stream::StorageType::Memory;
        assert_eq!(
            fixed_differences(&wanted, &found),
            ["`storage` from Memory to File"]
        );
    }
}
