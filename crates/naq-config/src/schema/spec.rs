//! What a key is.

use super::{Input, KEYS, Rejected};
use crate::Settings;

/// Writes a value into the settings; the texts are what the wildcards of the path stand for.
pub(crate) type Store = fn(&mut Settings, &[&str], &Input) -> Result<(), Rejected>;

/// One key. A path segment such as `<queue>` stands for any name.
#[derive(Debug)]
pub(crate) struct KeySpec {
    pub(crate) path: &'static str,
    /// The variable that sets the key, then its older names.
    pub(crate) variables: &'static [&'static str],
    /// A value of this key is never quoted in a message.
    pub(crate) secret: bool,
    /// A text stands for a list with commas between the elements.
    pub(crate) commas: bool,
    /// The path is a named entry, such as one pool; its values are in the keys below.
    pub(crate) entry: bool,
    pub(crate) store: Store,
}

impl KeySpec {
    pub(super) const fn new(path: &'static str, store: Store) -> Self {
        Self {
            path,
            variables: &[],
            secret: false,
            commas: false,
            entry: false,
            store,
        }
    }

    pub(super) const fn variables(mut self, variables: &'static [&'static str]) -> Self {
        self.variables = variables;
        self
    }

    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    pub(super) const fn entry(mut self) -> Self {
        self.entry = true;
        self
    }

    pub(super) const fn commas(mut self) -> Self {
        self.commas = true;
        self
    }
}

/// What the documentation needs to know of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyInfo {
    /// The path; a segment such as `<queue>` stands for any name.
    pub path: &'static str,
    /// The environment variable that sets it, then its older names; empty if there is none.
    pub variables: &'static [&'static str],
    /// Whether the value is a secret.
    pub secret: bool,
}

/// Every key that takes a value, in the order of the sections.
pub fn known_keys() -> impl Iterator<Item = KeyInfo> {
    KEYS.iter().filter(|spec| !spec.entry).map(|spec| KeyInfo {
        path: spec.path,
        variables: spec.variables,
        secret: spec.secret,
    })
}
