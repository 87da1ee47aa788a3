//! The pages of the book and the links between them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::SRC;
use super::headings::anchors;
use crate::docs::links::{links, normalised};
use crate::report::Finding;
use crate::tree::Tree;

/// One page: its text and the anchors in it.
pub(super) struct Page {
    pub(super) text: String,
    anchors: BTreeSet<String>,
}

/// All pages by their path in the book.
#[derive(Default)]
pub(super) struct Pages(BTreeMap<PathBuf, Page>);

impl Pages {
    pub(super) fn load(tree: &Tree) -> Result<Self, String> {
        let mut pages = Self::default();
        for path in tree.files_under(Path::new(SRC))? {
            if let Ok(name) = path.strip_prefix(SRC) {
                pages.add(name, tree.read(&path)?);
            }
        }
        Ok(pages)
    }

    pub(super) fn add(&mut self, name: impl Into<PathBuf>, text: String) {
        let anchors = anchors(&text);
        self.0.insert(name.into(), Page { text, anchors });
    }

    pub(super) fn get(&self, name: &str) -> Option<&Page> {
        self.0.get(Path::new(name))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }

    pub(super) fn check_links(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (name, page) in &self.0 {
            for (line, target) in links(&page.text) {
                if let Some(message) = self.what_is_wrong(name, &target) {
                    findings.push(finding(name, line, message));
                }
            }
        }
        findings
    }

    /// What is wrong with a link on the page `from`; pages of other books are not looked at.
    pub(super) fn what_is_wrong(&self, from: &Path, target: &str) -> Option<String> {
        if target.contains("://") {
            return None;
        }
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let folder = from.parent().unwrap_or_else(|| Path::new(""));
        let to = match path {
            "" => Some(from.to_owned()),
            path => normalised(&folder.join(path)),
        };
        match to.and_then(|to| self.0.get(&to)) {
            None => Some(format!("link {target} leads out of the book")),
            Some(page) if anchor.is_empty() || page.anchors.contains(anchor) => None,
            Some(_) => Some(format!("link {target} leads to no heading")),
        }
    }
}

/// A finding on a page of the book.
pub(super) fn finding(name: &Path, line: usize, message: impl Into<String>) -> Finding {
    Finding::at(&Path::new(SRC).join(name), line, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages() -> Pages {
        let mut pages = Pages::default();
        pages.add("one.md", "# One\n[a](deep/two.md#here) [b](#one)".into());
        pages.add("deep/two.md", "## Here".into());
        pages
    }

    #[test]
    fn links_to_headings_of_the_book_are_fine() {
        assert_eq!(pages().check_links(), []);
        let outside = pages().what_is_wrong(Path::new("one.md"), "https://nats.io/#x");
        assert_eq!(outside, None);
    }

    #[test]
    fn links_to_no_heading_and_out_of_the_book_are_found() {
        let mut pages = pages();
        pages.add(
            "deep/three.md",
            "[c](../one.md#two)\n[d](../../README.md)\n[e](gone.md)".into(),
        );
        let lines: Vec<usize> = pages.check_links().iter().map(|found| found.line).collect();
        assert_eq!(lines, [1, 2, 3]);
    }
}
