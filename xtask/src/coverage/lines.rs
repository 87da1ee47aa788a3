//! The lines of a package that can run, and whether they did.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::Item;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::source::{attributes_of, testing};
use crate::tree::Tree;

/// Of each file: line, and whether it ran.
#[derive(Debug)]
pub(super) struct Lines(pub(super) BTreeMap<PathBuf, BTreeMap<usize, bool>>);

impl Lines {
    /// Those of the files below `folder`, from the text that llvm-cov writes.
    pub(super) fn of(tree: &Tree, folder: &Path, text: &str) -> Result<Self, String> {
        let mut files = parse(text, tree.root());
        files.retain(|path, _| path.starts_with(folder));
        for (path, lines) in &mut files {
            let tests = lines_of_tests(&tree.read(path)?)?;
            lines.retain(|line, _| !tests.contains(line));
        }
        Ok(Self(files))
    }
}

/// A file that several programs were built from comes more than once.
fn parse(text: &str, root: &Path) -> BTreeMap<PathBuf, BTreeMap<usize, bool>> {
    let mut files: BTreeMap<PathBuf, BTreeMap<usize, bool>> = BTreeMap::new();
    let mut file = None;
    for line in text.lines() {
        if let Some(path) = line.strip_prefix("SF:") {
            let path = Path::new(path).strip_prefix(root).ok();
            file = path.map(Path::to_owned);
        } else if let (Some(path), Some(data)) = (&file, line.strip_prefix("DA:")) {
            let mut parts = data.split(',');
            let number = parts.next().and_then(|part| part.parse().ok());
            let count = parts.next().and_then(|part| part.parse::<u64>().ok());
            if let (Some(number), Some(count)) = (number, count) {
                let lines = files.entry(path.clone()).or_default();
                *lines.entry(number).or_default() |= count > 0;
            }
        }
    }
    files
}

fn lines_of_tests(text: &str) -> Result<BTreeSet<usize>, String> {
    let mut tests = Tests(BTreeSet::new());
    let file = syn::parse_file(text).map_err(|error| error.to_string())?;
    tests.visit_file(&file);
    Ok(tests.0)
}

struct Tests(BTreeSet<usize>);

impl<'ast> Visit<'ast> for Tests {
    fn visit_item(&mut self, item: &'ast Item) {
        if testing(attributes_of(item)).only_for_tests {
            let span = item.span();
            self.0.extend(span.start().line..=span.end().line);
        } else {
            visit::visit_item(self, item);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ran_if_it_ran_in_any_program() {
        let text = "SF:/r/a.rs\nDA:1,0\nDA:2,0\nend_of_record\nSF:/r/a.rs\nDA:1,7\nend_of_record\nSF:/other/b.rs\nDA:1,1\n";
        let files = parse(text, Path::new("/r"));
        let lines: Vec<_> = files[Path::new("a.rs")].clone().into_iter().collect();
        assert_eq!((files.len(), lines), (1, vec![(1, true), (2, false)]));
    }

    #[test]
    fn lines_of_unit_tests_are_known_with_their_attributes() {
        let text = "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n";
        let lines: Vec<_> = lines_of_tests(text).unwrap().into_iter().collect();
        assert_eq!(lines, [3, 4, 5, 6]);
    }
}
