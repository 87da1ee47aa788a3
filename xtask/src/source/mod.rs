//! Rust files, parsed once and read by every check.

mod attributes;
mod paths;

use std::path::{Path, PathBuf};

pub(crate) use self::attributes::{attributes_of, testing};
pub(crate) use self::paths::{PathUse, path_uses};
use crate::tree::Tree;

/// One Rust file: its path from the root of the repository, its text, its syntax tree.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) ast: syn::File,
}

impl Source {
    pub(crate) fn parse(path: impl Into<PathBuf>, text: String) -> Result<Self, String> {
        let path = path.into();
        let ast = syn::parse_file(&text)
            .map_err(|error| format!("failed to parse {}: {error}", path.display()))?;
        Ok(Self { path, text, ast })
    }

    /// Whether the whole file is test code, by the place it is in.
    pub(crate) fn is_test_file(&self) -> bool {
        let in_folder = self.path.iter().any(|part| part == "tests");
        in_folder || self.path.file_name().is_some_and(|name| name == "tests.rs")
    }
}

/// Parses every Rust file of the repository.
pub(crate) fn load_all(tree: &Tree) -> Result<Vec<Source>, String> {
    let load = |path: PathBuf| Source::parse(&path, tree.read(Path::new(&path))?);
    tree.files("rs")?.into_iter().map(load).collect()
}
