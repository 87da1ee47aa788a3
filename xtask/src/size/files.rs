//! Lines of files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Item, ItemMod};

use crate::report::Finding;
use crate::source::{Source, testing};

/// Look twice: does it still own one thing?
const WARN_NON_TEST: usize = 300;
const MOST_TOTAL: usize = 500;

/// How long one file is.
#[derive(Debug)]
pub(crate) struct FileSize {
    path: PathBuf,
    pub(crate) total: usize,
    /// Without `#[cfg(test)] mod` blocks; nothing for a file of tests.
    non_test: Option<usize>,
}

pub(crate) fn measure(sources: &[Source]) -> Vec<FileSize> {
    let for_tests: BTreeSet<PathBuf> = sources.iter().flat_map(declared_for_tests).collect();
    sources
        .iter()
        .map(|source| measure_file(source, for_tests.contains(&source.path)))
        .collect()
}

/// The files that this one names as `#[cfg(test)] mod name;`.
fn declared_for_tests(source: &Source) -> Vec<PathBuf> {
    let is_cover = ["lib.rs", "main.rs", "mod.rs"]
        .iter()
        .any(|name| source.path.ends_with(name));
    let folder = match is_cover {
        true => source.path.parent().unwrap_or(Path::new("")).to_owned(),
        false => source.path.with_extension(""),
    };
    let named = source.ast.items.iter().filter_map(|item| match item {
        Item::Mod(module) if module.content.is_none() => Some(module),
        _ => None,
    });
    named
        .filter(|module| testing(&module.attrs).only_for_tests)
        .map(|module| folder.join(format!("{}.rs", module.ident)))
        .collect()
}

fn measure_file(source: &Source, is_for_tests: bool) -> FileSize {
    let total = source.text.lines().count();
    let mut blocks = TestBlocks(0);
    blocks.visit_file(&source.ast);
    let is_test = is_for_tests || source.is_test_file();
    let non_test = (!is_test).then(|| total - blocks.0);
    FileSize {
        path: source.path.clone(),
        total,
        non_test,
    }
}

/// Counts the lines of `#[cfg(test)] mod name { … }`.
struct TestBlocks(usize);

impl<'ast> Visit<'ast> for TestBlocks {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if testing(&module.attrs).only_for_tests {
            let first = module
                .attrs
                .first()
                .map_or(module.mod_token.span, Spanned::span);
            let last = match (&module.content, &module.semi) {
                (Some((brace, _)), _) => brace.span.close(),
                (None, Some(semi)) => semi.span(),
                (None, None) => module.ident.span(),
            };
            self.0 += last.end().line + 1 - first.start().line;
        } else {
            visit::visit_item_mod(self, module);
        }
    }
}

pub(crate) fn product_lines(files: &[FileSize]) -> Vec<usize> {
    files.iter().filter_map(|file| file.non_test).collect()
}

/// Prints the files to look at twice; none of them fails the check.
pub(crate) fn warn(files: &[FileSize]) {
    for file in files {
        if let Some(lines) = file.non_test.filter(|lines| *lines > WARN_NON_TEST) {
            println!(
                "warning: {}: {lines} lines without tests",
                file.path.display()
            );
        }
    }
}

pub(crate) fn too_long(files: &[FileSize]) -> Vec<Finding> {
    let long = files.iter().filter(|file| file.total > MOST_TOTAL);
    long.map(|file| {
        let message = format!("{} lines; at most {MOST_TOTAL}", file.total);
        Finding::in_file(&file.path, message)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure_text(path: &str, text: &str) -> FileSize {
        measure_file(&Source::parse(path, text.to_owned()).unwrap(), false)
    }

    #[test]
    fn a_file_that_is_declared_for_tests_has_no_product_lines() {
        let parse = |path, text: &str| Source::parse(path, text.to_owned()).unwrap();
        let files = measure(&[
            parse("src/a/mod.rs", "mod b;\n#[cfg(test)]\nmod golden;\n"),
            parse("src/a/b.rs", "fn f() {}\n"),
            parse("src/a/golden.rs", "fn g() {}\n"),
        ]);
        let lines: Vec<_> = files.iter().map(|file| file.non_test).collect();
        assert_eq!(lines, [Some(1), Some(1), None]);
    }

    #[test]
    fn test_blocks_are_taken_off_with_their_attributes() {
        let text = "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n";
        let size = measure_text("src/a.rs", text);
        assert_eq!((size.total, size.non_test), (6, Some(2)));
    }

    #[test]
    fn a_file_of_501_lines_is_too_long_also_when_it_is_a_test() {
        let long = measure_text("tests/a.rs", &"// line\n".repeat(501));
        let longest_allowed = measure_text("src/a.rs", &"// line\n".repeat(500));
        assert_eq!(too_long(&[long, longest_allowed]).len(), 1);
    }
}
