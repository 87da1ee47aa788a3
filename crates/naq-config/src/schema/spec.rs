//! What a key is.

use super::{Input, Rejected, keys};
use crate::Settings;

/// Writes a value into the settings; the texts are what the wildcards of the path stand for.
pub(crate) type Store = fn(&mut Settings, &[&str], &Input) -> Result<(), Rejected>;

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Path,
    Flag,
    Number,
    /// A number, or -1 or `unlimited`.
    Limit,
    Size,
    Time,
    Storage,
    Compression,
    List,
    /// The path is a named entry, such as one pool; its values are in the keys below.
    Entry,
}

/// One key. A path segment such as `<queue>` stands for any name.
#[derive(Debug)]
pub(crate) struct KeySpec {
    pub(crate) path: &'static str,
    pub(crate) form: Form,
    /// What it is for, in whole sentences.
    pub(crate) doc: &'static str,
    /// The variable that sets the key, then its older names.
    pub(crate) variables: &'static [&'static str],
    /// A value of this key is never quoted in a message.
    pub(crate) secret: bool,
    /// A text stands for a list with commas between the elements.
    pub(crate) commas: bool,
    /// No value means that the setting is off.
    pub(crate) optional: bool,
    pub(crate) store: Store,
}

impl KeySpec {
    pub(super) const fn new(
        path: &'static str,
        form: Form,
        doc: &'static str,
        store: Store,
    ) -> Self {
        Self {
            path,
            form,
            doc,
            variables: &[],
            secret: false,
            commas: false,
            optional: false,
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

    pub(super) const fn optional(mut self) -> Self {
        self.optional = true;
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
    /// What it is for, in whole sentences.
    pub doc: &'static str,
}

/// Every key that takes a value, in the order of the sections.
pub fn known_keys() -> impl Iterator<Item = KeyInfo> {
    let values = keys().filter(|spec| spec.form != Form::Entry);
    values.map(|spec| KeyInfo {
        path: spec.path,
        variables: spec.variables,
        secret: spec.secret,
        doc: spec.doc,
    })
}
