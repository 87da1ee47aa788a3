//! Profiles: named sets of values, built in or under `environments` in a file.

use std::collections::BTreeSet;

use super::assembly::Assembly;
use super::files::File;
use super::walk::{Setting, Walk, setting_of};
use crate::schema::{find_dotted, nearest};
use crate::yaml::{Field, Node, Value};
use crate::{Origin, Place, Problem};

pub(super) const SECTION: &str = "environments";

/// Name and values of the built-in profiles. Each value must work whatever a file sets besides.
const BUILT_IN: [(&str, &[(&str, &str)]); 3] = [
    ("development", &[("workers.concurrency", "2")]),
    ("production", &[("workers.concurrency", "50")]),
    (
        "testing",
        &[("workers.concurrency", "1"), ("events.enabled", "false")],
    ),
];

/// The profile that was asked for, and by whom.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) name: String,
    pub(super) origin: Origin,
}

/// The built-in values of a profile.
pub(super) fn built_in(name: &str) -> Vec<Setting> {
    let values = BUILT_IN
        .iter()
        .find(|(known, _)| *known == name)
        .map_or(&[][..], |(_, v)| v);
    let origin = Origin::Profile {
        name: name.to_owned(),
        at: None,
    };
    let setting = |(key, value): &(&str, &str)| setting_of(find_dotted(key), value, &origin);
    values.iter().filter_map(setting).collect()
}

/// Whether there is such a profile; the problem names those that there are.
pub(super) fn check_known(chosen: &Chosen, files: &[File]) -> Option<Problem> {
    let mut known: BTreeSet<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
    known.extend(
        files
            .iter()
            .flat_map(profiles_of)
            .map(|profile| profile.key.as_str()),
    );
    if known.contains(chosen.name.as_str()) {
        return None;
    }
    let names: Vec<_> = known.iter().copied().collect();
    let mut message = format!("no profile `{}`; known: {}", chosen.name, names.join(", "));
    if let Some(near) = nearest(&chosen.name, known) {
        message.push_str(&format!("; did you mean `{near}`?"));
    }
    Some(Problem::without_key(chosen.origin.clone(), message))
}

/// Applies the chosen profile of a file, and checks the others.
pub(super) fn apply(file: &File, chosen: Option<&Chosen>, assembly: &mut Assembly<'_>) {
    for profile in profiles_of(file) {
        let name = &profile.key;
        let origin = |place: Place| Origin::Profile {
            name: name.clone(),
            at: Some((file.path.clone(), place)),
        };
        let prefix = format!("{SECTION}.{name}.");
        let mut walk = Walk::new(&origin, prefix.clone());
        read(profile, &mut walk);
        assembly.problems.append(&mut walk.problems);
        if chosen.is_some_and(|chosen| chosen.name == *name) {
            assembly.apply_expanding(walk.settings);
        } else {
            assembly.check_only(&walk.settings, &prefix);
        }
    }
}

/// What is wrong with the shape of the `environments` section.
pub(super) fn check_shape(file: &File) -> Option<Problem> {
    let section = file
        .sections
        .iter()
        .find(|section| section.key == SECTION)?;
    match &section.node.value {
        Value::Map(_) | Value::Null => None,
        other => {
            let message = format!("must be a map of profiles, not {}", other.describe());
            Some(Problem::new(
                Origin::file(&file.path, section.node.place),
                SECTION,
                message,
            ))
        }
    }
}

fn profiles_of(file: &File) -> &[Field] {
    let section = file.sections.iter().find(|section| section.key == SECTION);
    match section.map(|section| &section.node.value) {
        Some(Value::Map(profiles)) => profiles,
        _ => &[],
    }
}

fn read(profile: &Field, walk: &mut Walk<'_>) {
    match &profile.node.value {
        Value::Null => {}
        Value::Map(fields) => {
            for field in fields {
                match field.key.as_str() {
                    "overrides" => overrides(&field.node, walk),
                    // Files of the old form repeat the name of the profile in it.
                    "name" | "description" if matches!(field.node.value, Value::Text(_)) => {}
                    _ => walk.field(&[], field),
                }
            }
        }
        other => {
            let message = format!("must be a map of sections, not {}", other.describe());
            walk.prefix.pop();
            walk.problem(profile.node.place, &[], message);
        }
    }
}

/// The old form: a map of keys written with dots.
fn overrides(node: &Node, walk: &mut Walk<'_>) {
    let fields = match &node.value {
        Value::Null => return,
        Value::Map(fields) => fields,
        other => {
            let message = format!("must be a map of keys, not {}", other.describe());
            return walk.problem(node.place, &["overrides".to_owned()], message);
        }
    };
    for field in fields {
        let split = || field.key.split('.').map(str::to_owned).collect();
        let path = find_dotted(&field.key).unwrap_or_else(split);
        walk.path(path, field.key_place, &field.node);
    }
}
