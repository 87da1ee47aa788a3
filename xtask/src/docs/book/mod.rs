//! The book: its links lead somewhere, its tables are whole, and each chapter is listed and tested.

mod chapters;
mod headings;
mod pages;
mod rows;

use self::pages::Pages;
use super::test_index::TestIndex;
use crate::report::Finding;
use crate::tree::Tree;

/// Where the chapters are.
const SRC: &str = "docs/book/src";

pub(super) fn check(tree: &Tree, tests: &TestIndex) -> Result<Vec<Finding>, String> {
    let pages = Pages::load(tree)?;
    let mut findings = pages.check_links();
    findings.extend(chapters::check(tree, &pages)?);
    findings.extend(rows::check(&pages, tests));
    Ok(findings)
}
