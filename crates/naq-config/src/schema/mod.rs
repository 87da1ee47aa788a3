//! The one table of every key: its path, its variables, and where its value goes.
//!
//! [`keys`] is the table; [`input`] and [`units`] turn what a layer holds into a typed value;
//! [`refused`] and [`suggest`] word the answer to a key that is not in the table.

mod input;
mod keys;
mod path;
mod refused;
mod suggest;
mod units;

pub(crate) use input::{Input, Item, Rejected};
pub(crate) use keys::KEYS;
pub(crate) use path::{Found, check_names, find, find_dotted};
pub(crate) use refused::refusal;
pub(crate) use suggest::{nearest, suggest};

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
    const fn new(path: &'static str, store: Store) -> Self {
        Self {
            path,
            variables: &[],
            secret: false,
            commas: false,
            entry: false,
            store,
        }
    }

    const fn variables(mut self, variables: &'static [&'static str]) -> Self {
        self.variables = variables;
        self
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    const fn entry(mut self) -> Self {
        self.entry = true;
        self
    }

    const fn commas(mut self) -> Self {
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
