//! The layer of environment variables.
//!
//! Which variable sets which key is in the key table. A variable that is set but empty counts
//! as not set: container tools pass `NAQ_NATS_URL=` for a variable that nobody filled in.

use std::collections::BTreeMap;

use super::walk::{Setting, Walk};
use crate::schema::{Input, KeySpec, keys};
use crate::yaml::{Value, parse};
use crate::{Origin, Place, Problem};

/// Sets `queues.configs.<queue>.ack_wait` for several queues at once, as a JSON object.
const ACK_WAIT_PER_QUEUE: &str = "NAQ_ACK_WAIT_PER_QUEUE";

/// The variables that a loader was given.
#[derive(Clone, Default)]
pub(super) struct Environment(BTreeMap<String, String>);

impl Environment {
    pub(super) fn insert(&mut self, name: String, value: String) {
        self.0.insert(name, value);
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of a variable that has one.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.trim().is_empty())
    }

    /// The values for keys, and what is wrong with them.
    pub(super) fn layer(&self) -> (Vec<Setting>, Vec<Problem>) {
        let mut settings = Vec::new();
        let mut problems = Vec::new();
        for spec in keys() {
            match self.value_of(spec) {
                Ok(Some((var, value))) => settings.push(Setting {
                    spec,
                    path: spec.path.split('.').map(str::to_owned).collect(),
                    input: Input::Text(value.to_owned()),
                    origin: origin_of(var),
                }),
                Ok(None) => {}
                Err(problem) => problems.push(problem),
            }
        }
        self.ack_wait_per_queue(&mut settings, &mut problems);
        (settings, problems)
    }

    /// The variables with the prefix of NAQ that neither the key table nor `others` has.
    pub(super) fn unknown(&self, others: &[&str]) -> Vec<String> {
        let is_known = |name: &str| {
            name == ACK_WAIT_PER_QUEUE
                || others.contains(&name)
                || keys().any(|spec| spec.variables.contains(&name))
        };
        let names = self
            .0
            .keys()
            .filter(|name| name.starts_with("NAQ_") && !is_known(name));
        names.cloned().collect()
    }

    /// The value that the variables of `spec` agree on.
    fn value_of(&self, spec: &KeySpec) -> Result<Option<(&'static str, &str)>, Problem> {
        let filled = |var: &&'static str| self.filled(var).map(|value| (*var, value));
        let mut found = spec.variables.iter().filter_map(filled);
        let Some((first, value)) = found.next() else {
            return Ok(None);
        };
        match found.find(|(_, other)| *other != value) {
            None => Ok(Some((first, value))),
            Some((other, _)) => {
                let message =
                    format!("`{first}` and `{other}` mean the same but differ; unset one of them");
                Err(Problem::new(origin_of(first), spec.path, message))
            }
        }
    }

    fn ack_wait_per_queue(&self, settings: &mut Vec<Setting>, problems: &mut Vec<Problem>) {
        let Some(text) = self.filled(ACK_WAIT_PER_QUEUE) else {
            return;
        };
        let origin = |_: Place| origin_of(ACK_WAIT_PER_QUEUE);
        let mut walk = Walk::new(&origin, String::new());
        // JSON is a part of YAML, and only a JSON object begins with a brace.
        let parsed = if text.trim_start().starts_with('{') {
            parse(text)
        } else {
            (None, vec![])
        };
        match parsed {
            (Some(root), faults) if faults.is_empty() && matches!(root.value, Value::Map(_)) => {
                let Value::Map(fields) = root.value else {
                    return;
                };
                for field in fields {
                    let path = ["queues", "configs", &field.key, "ack_wait"].map(str::to_owned);
                    walk.path(path.to_vec(), field.key_place, &field.node);
                }
                settings.append(&mut walk.settings);
                problems.append(&mut walk.problems);
            }
            _ => {
                let message = "must be a JSON object such as {\"emails\": 60}";
                problems.push(Problem::new(
                    origin_of(ACK_WAIT_PER_QUEUE),
                    "queues.configs",
                    message,
                ));
            }
        }
    }
}

fn origin_of(var: &str) -> Origin {
    Origin::Env {
        var: var.to_owned(),
    }
}
