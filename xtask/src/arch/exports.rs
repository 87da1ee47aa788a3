//! Which top-level module stands behind a name at the root of a crate.

use std::collections::{BTreeMap, BTreeSet};

use syn::{Item, Visibility};

use crate::source::{PathUse, Source, path_uses};

/// A file of a crate and the module that it is.
pub(crate) struct ModuleFile<'a> {
    pub(crate) module: Vec<String>,
    pub(crate) source: &'a Source,
}

/// Names that the root of a crate imports, each with the top-level module it comes from.
#[derive(Debug, Default)]
pub(crate) struct Exports {
    behind: BTreeMap<String, String>,
}

impl Exports {
    /// Reads `lib.rs` (or `main.rs`): each `use` there, public or not, since modules of the crate
    /// can name both as `crate::Name`.
    pub(crate) fn of(files: &[ModuleFile<'_>], top_level: &BTreeSet<String>) -> Self {
        let mut exports = Self::default();
        for file in files.iter().filter(|file| file.module.is_empty()) {
            for path in imports(file) {
                exports.add(&path, files, top_level);
            }
        }
        exports
    }

    pub(crate) fn module_behind(&self, name: &str) -> Option<&str> {
        self.behind.get(name).map(String::as_str)
    }

    pub(crate) fn all_modules(&self) -> BTreeSet<&str> {
        self.behind.values().map(String::as_str).collect()
    }

    fn add(&mut self, path: &PathUse, files: &[ModuleFile<'_>], top_level: &BTreeSet<String>) {
        let from_root = match path.segments.first().map(String::as_str) {
            Some("crate" | "self") => &path.segments[1..],
            _ => &path.segments[..],
        };
        let Some(top) = from_root.first() else {
            return;
        };
        if !top_level.contains(top) {
            return;
        }
        if let Some(name) = &path.imported_as {
            self.behind.insert(name.clone(), top.clone());
        } else if is_glob(path) {
            let globbed = &from_root[..from_root.len() - 1];
            for name in public_names(files, globbed) {
                self.behind.entry(name).or_insert_with(|| top.clone());
            }
        }
    }
}

/// The names that `use module::*` would bring in; a glob inside of a glob is not followed.
fn public_names(files: &[ModuleFile<'_>], module: &[String]) -> Vec<String> {
    let Some(file) = files.iter().find(|file| file.module == module) else {
        return Vec::new();
    };
    let declared = file.source.ast.items.iter().filter_map(public_name);
    let imported = imports(file)
        .into_iter()
        .filter_map(|path| path.imported_as);
    declared.chain(imported).collect()
}

/// What the `use` declarations of a file bring in; those of modules inside of it left out.
fn imports(file: &ModuleFile<'_>) -> Vec<PathUse> {
    let mut paths = path_uses(&file.source.ast, &file.module, false);
    paths
        .retain(|path| path.module == file.module && (path.imported_as.is_some() || is_glob(path)));
    paths
}

fn is_glob(path: &PathUse) -> bool {
    path.segments.last().is_some_and(|last| last == "*")
}

fn public_name(item: &Item) -> Option<String> {
    let (visibility, ident) = match item {
        Item::Const(item) => (&item.vis, &item.ident),
        Item::Enum(item) => (&item.vis, &item.ident),
        Item::Fn(item) => (&item.vis, &item.sig.ident),
        Item::Mod(item) => (&item.vis, &item.ident),
        Item::Static(item) => (&item.vis, &item.ident),
        Item::Struct(item) => (&item.vis, &item.ident),
        Item::Trait(item) => (&item.vis, &item.ident),
        Item::Type(item) => (&item.vis, &item.ident),
        Item::Union(item) => (&item.vis, &item.ident),
        _ => return None,
    };
    (!matches!(visibility, Visibility::Inherited)).then(|| ident.to_string())
}
