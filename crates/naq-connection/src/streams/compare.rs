//! What differs between the configuration that is wanted and the one that is there. Pure.
//!
//! Both are the JSON of the same type, so their fields compare by name. The server fills in what
//! was left out; `filled_in` does the same with what is wanted.

use std::collections::BTreeSet;

use async_nats::jetstream::stream::Config;
use serde_json::{Map, Value, json};

use crate::error::Change;

type Fields = Map<String, Value>;

/// What is to be done about a stream.
#[derive(Debug, PartialEq)]
pub(super) struct Comparison {
    /// What differs and may be changed.
    pub(super) changes: Vec<Change>,
    /// What differs and never can be.
    pub(super) fixed: Vec<Change>,
    /// What to update the stream to.
    pub(super) update: Value,
}

pub(super) fn compare(wanted: &Config, found: &Value) -> Comparison {
    let asked = fields(wanted);
    let known = serde_json::from_value::<Config>(found.clone()).map(|config| fields(&config));
    let mut have = known.unwrap_or_else(|_| found.as_object().cloned().unwrap_or_default());
    let want = filled_in(asked, wanted, &mut have);
    let names: BTreeSet<&String> = want.keys().chain(have.keys()).collect();
    // Fields that this client does not know stay as the server has them.
    let mut update = found.as_object().cloned().unwrap_or_default();
    let (mut changes, mut fixed) = (Vec::new(), Vec::new());
    for name in names {
        let (old, new) = (have.get(name), want.get(name));
        if is_same(old, new) {
            continue;
        }
        match new {
            Some(value) => drop(update.insert(name.clone(), value.clone())),
            None => drop(update.remove(name)),
        }
        let list = match is_fixed(name, old, new) {
            true => &mut fixed,
            false => &mut changes,
        };
        list.push(Change {
            field: name.clone(),
            old: text(old),
            new: text(new),
        });
    }
    Comparison {
        changes,
        fixed,
        update: Value::Object(update),
    }
}

fn fields(config: &Config) -> Fields {
    match serde_json::to_value(config) {
        Ok(Value::Object(fields)) => fields,
        _ => Fields::new(),
    }
}

/// What the server makes of `asked`; takes out of `have` what only the server sets.
fn filled_in(mut asked: Fields, wanted: &Config, have: &mut Fields) -> Fields {
    const LIMITS: [&str; 5] = [
        "max_msgs",
        "max_bytes",
        "max_consumers",
        "max_msgs_per_subject",
        "max_msg_size",
    ];
    for limit in LIMITS {
        let unlimited = asked.get(limit).is_none_or(|value| *value == json!(0));
        if unlimited {
            asked.insert(limit.to_owned(), json!(-1));
        }
    }
    if wanted.num_replicas == 0 {
        asked.insert("num_replicas".to_owned(), json!(1));
    }
    if wanted.duplicate_window.is_zero() && wanted.mirror.is_none() {
        let window = std::time::Duration::from_secs(120);
        let window = match wanted.max_age.is_zero() {
            true => window,
            false => window.min(wanted.max_age),
        };
        let nanos = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
        asked.insert("duplicate_window".to_owned(), json!(nanos));
    }
    if wanted.subjects.is_empty() && wanted.mirror.is_none() && wanted.sources.is_none() {
        asked.insert("subjects".to_owned(), json!([wanted.name]));
    }
    for (name, default) in [
        ("compression", json!("none")),
        ("persist_mode", json!("default")),
    ] {
        if have.get(name) == Some(&default) && !asked.contains_key(name) {
            have.remove(name);
        }
    }
    if let Some(Value::Object(metadata)) = have.get_mut("metadata") {
        metadata.retain(|key, _| !key.starts_with("_nats."));
    }
    asked
}

/// Left out, empty and not set are the same.
fn is_same(old: Option<&Value>, new: Option<&Value>) -> bool {
    let set = |value: Option<&Value>| {
        let value = value.filter(|value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(list) => !list.is_empty(),
            // Limits that limit nothing.
            Value::Object(fields) => fields.values().any(|value| *value != json!(0)),
            Value::Bool(true) | Value::Number(_) => true,
        });
        value.cloned()
    };
    let zero = |value: &Option<Value>| value.is_none() || *value == Some(json!(0));
    let (old, new) = (set(old), set(new));
    old == new || (zero(&old) && zero(&new))
}

/// Whether the server refuses this change whatever else there is.
fn is_fixed(field: &str, old: Option<&Value>, new: Option<&Value>) -> bool {
    let is = |value: Option<&Value>, what: &str| value.is_some_and(|value| value == what);
    let on = |value: Option<&Value>| value == Some(&json!(true));
    match field {
        "storage" | "mirror" | "first_seq" | "persist_mode" | "allow_msg_counter"
        | "template_owner" => true,
        "retention" => is(old, "workqueue") || is(new, "workqueue"),
        // Once said, these stay.
        "sealed" | "deny_delete" | "deny_purge" | "allow_msg_ttl" => on(old),
        "allow_msg_schedules" => on(new),
        _ => false,
    }
}

fn text(value: Option<&Value>) -> String {
    value.map_or_else(|| "none".to_owned(), Value::to_string)
}

#[cfg(test)]
mod tests {
    use async_nats::jetstream::stream::{RetentionPolicy, StorageType};

    use super::*;

    fn wanted() -> Config {
        Config {
            name: "S".to_owned(),
            max_messages: 10,
            ..Config::default()
        }
    }

    fn found(change: impl FnOnce(&mut Config)) -> Value {
        let mut config = Config {
            subjects: vec!["S".to_owned()],
            max_bytes: -1,
            max_consumers: -1,
            max_messages_per_subject: -1,
            max_message_size: -1,
            num_replicas: 1,
            duplicate_window: std::time::Duration::from_secs(120),
            ..wanted()
        };
        change(&mut config);
        let mut found = fields(&config);
        found.insert("of_a_newer_server".to_owned(), json!(7));
        found.insert("metadata".to_owned(), json!({"_nats.level": "2"}));
        Value::Object(found)
    }

    #[test]
    fn what_the_server_filled_in_is_no_difference() {
        let comparison = compare(&wanted(), &found(|_| {}));
        assert_eq!((comparison.changes, comparison.fixed), (vec![], vec![]));
    }

    #[test]
    fn each_field_that_differs_is_told_and_updated_and_unknown_ones_stay() {
        let comparison = compare(&wanted(), &found(|c| c.max_messages = 5));
        let told: Vec<_> = comparison.changes.iter().map(Change::to_string).collect();
        assert_eq!(told, ["max_msgs: 5 -> 10"]);
        assert_eq!(comparison.update["max_msgs"], 10);
        assert_eq!(comparison.update["of_a_newer_server"], 7);
    }

    #[test]
    fn what_can_never_change_is_apart() {
        let there = found(|c| {
            c.storage = StorageType::Memory;
            c.retention = RetentionPolicy::WorkQueue;
            c.max_messages = 5;
        });
        let comparison = compare(&wanted(), &there);
        let fixed: Vec<_> = comparison.fixed.iter().map(Change::to_string).collect();
        let expected = [
            r#"retention: "workqueue" -> "limits""#,
            r#"storage: "memory" -> "file""#,
        ];
        assert_eq!(fixed, expected);
        assert_eq!(comparison.changes.len(), 1);
    }
}
