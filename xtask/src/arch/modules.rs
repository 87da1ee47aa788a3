//! The top-level modules of a crate use each other without circles.
//!
//! An edge is a path that starts at `crate` or climbs with `super`, anywhere outside of tests.

use std::collections::BTreeSet;
use std::path::Path;

use syn::{Item, ItemMod};

use super::cycles::{Graph, Site, Step};
use super::exports::{Exports, ModuleFile};
use crate::report::Finding;
use crate::source::{PathUse, Source, path_uses, testing};

/// Checks one crate: `src` is its source folder, `sources` the files in it.
pub(crate) fn check(src: &Path, sources: &[&Source]) -> Vec<Finding> {
    graph_of(src, sources)
        .cycles()
        .iter()
        .map(|cycle| tell(cycle))
        .collect()
}

fn tell(cycle: &[Step]) -> Finding {
    let mut message = "modules use each other in a circle:".to_owned();
    for Step { from, to, site } in cycle {
        let step = format!(
            "\n    {from} uses {to} ({}:{})",
            site.path.display(),
            site.line
        );
        message.push_str(&step);
    }
    Finding::at(&cycle[0].site.path, cycle[0].site.line, message)
}

fn graph_of(src: &Path, sources: &[&Source]) -> Graph {
    let files = module_files(src, sources);
    let top_level: BTreeSet<String> = files
        .iter()
        .flat_map(|file| file.module.first().cloned())
        .chain(inline_modules(&files))
        .collect();
    let exports = Exports::of(&files, &top_level);
    let mut graph = Graph::default();
    for file in &files {
        for path in path_uses(&file.source.ast, &file.module, false) {
            let Some(from) = path.module.first() else {
                continue;
            };
            let site = Site {
                path: file.source.path.clone(),
                line: path.line,
            };
            for to in targets(&path, &top_level, &exports) {
                graph.add(from, to, site.clone());
            }
        }
    }
    graph
}

/// The files that are modules of the crate; other programs (`src/bin`) and test files are not.
fn module_files<'a>(src: &Path, sources: &[&'a Source]) -> Vec<ModuleFile<'a>> {
    let mut files: Vec<ModuleFile<'a>> = sources
        .iter()
        .filter_map(|source| {
            Some(ModuleFile {
                module: module_of(src, &source.path)?,
                source,
            })
        })
        .collect();
    let for_tests: Vec<Vec<String>> = files.iter().flat_map(test_modules).collect();
    files.retain(|file| {
        !for_tests
            .iter()
            .any(|module| file.module.starts_with(module))
    });
    files
}

fn module_of(src: &Path, path: &Path) -> Option<Vec<String>> {
    let inside = path.strip_prefix(src).ok()?.with_extension("");
    let mut module: Vec<String> = inside
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if module.first().is_some_and(|first| first == "bin") {
        return None;
    }
    let is_root = module.len() == 1 && (module[0] == "lib" || module[0] == "main");
    if is_root || module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    Some(module)
}

/// Modules that this file declares for tests only: `#[cfg(test)] mod tests;`.
fn test_modules(file: &ModuleFile<'_>) -> Vec<Vec<String>> {
    declared_modules(file.source)
        .filter(|module| testing(&module.attrs).only_for_tests)
        .map(|module| [file.module.as_slice(), &[module.ident.to_string()]].concat())
        .collect()
}

fn declared_modules(source: &Source) -> impl Iterator<Item = &ItemMod> {
    source.ast.items.iter().filter_map(|item| match item {
        Item::Mod(module) => Some(module),
        _ => None,
    })
}

fn inline_modules(files: &[ModuleFile<'_>]) -> Vec<String> {
    files
        .iter()
        .filter(|file| file.module.is_empty())
        .flat_map(|file| declared_modules(file.source))
        .filter(|module| module.content.is_some() && !testing(&module.attrs).only_for_tests)
        .map(|module| module.ident.to_string())
        .collect()
}

/// The top-level modules that a path leads to.
fn targets<'a>(
    path: &PathUse,
    top_level: &'a BTreeSet<String>,
    exports: &'a Exports,
) -> Vec<&'a str> {
    let Some(from_root) = from_root(path) else {
        return Vec::new();
    };
    match from_root.first() {
        None => Vec::new(),
        Some(first) if first == "*" => exports.all_modules().into_iter().collect(),
        Some(first) => {
            let module = top_level.get(first).map(String::as_str);
            module
                .or_else(|| exports.module_behind(first))
                .into_iter()
                .collect()
        }
    }
}

/// The path as seen from the root of the crate; nothing for paths of other crates.
fn from_root(path: &PathUse) -> Option<Vec<String>> {
    let mut module = path.module.as_slice();
    let mut rest = path.segments.as_slice();
    match rest.first()?.as_str() {
        "crate" => return Some(rest[1..].to_vec()),
        "self" => rest = &rest[1..],
        "super" => {}
        _ => return None,
    }
    while rest.first().is_some_and(|segment| segment == "super") {
        rest = &rest[1..];
        module = &module[..module.len().checked_sub(1)?];
    }
    Some([module, rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks a crate given as (path in `src`, text).
    fn findings(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<Source> = files
            .iter()
            .map(|(path, text)| {
                Source::parse(Path::new("src").join(path), (*text).to_owned()).unwrap()
            })
            .collect();
        let sources: Vec<&Source> = sources.iter().collect();
        check(Path::new("src"), &sources)
            .into_iter()
            .map(|finding| finding.to_string())
            .collect()
    }

    #[test]
    fn arrows_in_one_direction_are_fine() {
        let found = findings(&[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b::B; use crate::c::C;"),
            ("b/mod.rs", "mod inner; pub struct B;"),
            ("b/inner.rs", "use super::B; use crate::b; use crate::c::C;"),
            ("c.rs", "use std::fmt; use other::a::A; pub struct C;"),
        ]);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn a_circle_is_told_with_one_place_for_each_edge() {
        let found = findings(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "\nuse crate::b::B;"),
            ("b/mod.rs", "mod inner;"),
            ("b/inner.rs", "\n\nfn f() { crate::a::g() }"),
        ]);
        let expected = "src/a.rs:2: modules use each other in a circle:\
            \n    a uses b (src/a.rs:2)\n    b uses a (src/b/inner.rs:3)";
        assert_eq!(found, [expected]);
    }

    #[test]
    fn super_is_followed_out_of_a_module() {
        let found = findings(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use super::b::B;"),
            ("b/mod.rs", "mod inner;"),
            ("b/inner.rs", "use super::super::a::A;"),
        ]);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn a_name_from_the_root_counts_for_the_module_behind_it() {
        for export in [
            "pub use a::Name;",
            "pub use self::a::Other as Name;",
            "pub use crate::a::*;",
        ] {
            let found = findings(&[
                ("lib.rs", &format!("mod a; mod b; {export}")),
                ("a.rs", "use crate::b::B; pub struct Name;"),
                ("b.rs", "fn f(_: crate::Name) {} pub struct B;"),
            ]);
            assert_eq!(found.len(), 1, "{export}");
        }
    }

    #[test]
    fn a_glob_of_the_root_uses_all_that_it_exports() {
        let found = findings(&[
            ("lib.rs", "mod a; mod b; pub use a::A;"),
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "use crate::*;"),
        ]);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn tests_and_other_programs_make_no_edges() {
        let found = findings(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::B;"),
            (
                "b/mod.rs",
                "#[cfg(test)] mod tests; #[cfg(test)] mod more { use crate::a::A; }",
            ),
            ("b/tests.rs", "use crate::a::A;"),
            ("bin/b.rs", "use crate::a::A;"),
        ]);
        assert_eq!(found, Vec::<String>::new());
    }
}
