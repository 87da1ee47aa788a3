//! From the tree of a file to values for keys, each with the row of the key table that it belongs to.

use crate::schema::{self, Form, Found, Input, Item, KeySpec};
use crate::yaml::{Field, Node, Value};
use crate::{Origin, Place, Problem};

/// A value for a key, from one layer.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) spec: &'static KeySpec,
    pub(super) path: Vec<String>,
    pub(super) input: Input,
    pub(super) origin: Origin,
}

/// Reads sections into settings; problems are collected, not returned.
pub(super) struct Walk<'a> {
    pub(super) origin: &'a dyn Fn(Place) -> Origin,
    /// What the shown path of a problem begins with, such as `environments.production.`.
    pub(super) prefix: String,
    pub(super) settings: Vec<Setting>,
    pub(super) problems: Vec<Problem>,
}

impl Setting {
    /// The key as people write it.
    pub(super) fn key(&self) -> String {
        self.path.join(".")
    }

    /// The names that the wildcards of the path stand for.
    pub(super) fn names(&self) -> Vec<&str> {
        let pattern = self.spec.path.split('.');
        let pairs = pattern.zip(&self.path);
        pairs
            .filter(|(p, _)| p.starts_with('<'))
            .map(|(_, name)| name.as_str())
            .collect()
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(origin: &'a dyn Fn(Place) -> Origin, prefix: String) -> Self {
        Self {
            origin,
            prefix,
            settings: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Reads one key of a map whose own path is `parents`.
    pub(super) fn field(&mut self, parents: &[String], field: &Field) {
        let mut path = parents.to_vec();
        path.push(field.key.clone());
        self.path(path, field.key_place, &field.node);
    }

    /// Reads the value at `path`, which was written at `key_place`.
    pub(super) fn path(&mut self, path: Vec<String>, key_place: Place, node: &Node) {
        let found = schema::find(&path);
        if let Found::Unknown = found {
            let message = unknown_key(&path);
            return self.problem(key_place, &path, message);
        }
        if let Err(message) = schema::check_names(&path) {
            return self.problem(key_place, &path, message);
        }
        match (found, &node.value) {
            (Found::Key(spec), Value::Map(fields)) if spec.form == Form::Entry => {
                self.set(spec, path.clone(), Input::Map, node.place);
                fields.iter().for_each(|field| self.field(&path, field));
            }
            (Found::Key(spec), _) => {
                if let Some(input) = self.input(&path, node) {
                    self.set(spec, path, input, node.place);
                }
            }
            (_, Value::Map(fields)) => fields.iter().for_each(|field| self.field(&path, field)),
            (_, Value::Null) => {}
            (_, other) => {
                let message = format!("must be a map, not {}", other.describe());
                self.problem(node.place, &path, message);
            }
        }
    }

    pub(super) fn problem(&mut self, place: Place, path: &[String], message: impl Into<String>) {
        let key = format!("{}{}", self.prefix, path.join("."));
        self.problems
            .push(Problem::new((self.origin)(place), key, message));
    }

    fn set(&mut self, spec: &'static KeySpec, path: Vec<String>, input: Input, place: Place) {
        self.settings.push(Setting {
            spec,
            path,
            input,
            origin: (self.origin)(place),
        });
    }

    fn input(&mut self, path: &[String], node: &Node) -> Option<Input> {
        let items = match &node.value {
            Value::Null => return Some(Input::Null),
            Value::Text(text) => return Some(Input::Text(text.clone())),
            Value::Map(_) => return Some(Input::Map),
            Value::List(items) => items,
        };
        let mut list = Vec::with_capacity(items.len());
        for item in items {
            match &item.value {
                Value::Text(text) => {
                    list.push(Item {
                        text: text.clone(),
                        place: Some(item.place),
                    });
                }
                other => {
                    let message = format!(
                        "an element must be a single value, not {}",
                        other.describe()
                    );
                    self.problem(item.place, path, message);
                }
            }
        }
        (list.len() == items.len()).then_some(Input::List(list))
    }
}

/// What to do about a path that the key table does not have.
pub(super) fn unknown_key(path: &[String]) -> String {
    match path {
        [dotted] if schema::find_dotted(dotted).is_some() => {
            "a key with dots; write it as nested maps".to_owned()
        }
        path => schema::refusal(path).unwrap_or_else(|| schema::suggest(path)),
    }
}

/// The value for one key that code or a flag gives as a text.
pub(super) fn setting_of(
    path: Option<Vec<String>>,
    value: &str,
    origin: &Origin,
) -> Option<Setting> {
    let path = path?;
    match schema::find(&path) {
        Found::Key(spec) => Some(Setting {
            spec,
            path,
            input: Input::Text(value.to_owned()),
            origin: origin.clone(),
        }),
        _ => None,
    }
}
