//! The written word: does it still say what is there?

mod architecture;
mod book;
mod conformance;
mod ids;
mod links;
mod test_index;

use crate::cargo;
use crate::report::conclude;
use crate::source::load_all;
use crate::tree::Tree;

/// How much `cargo xtask docs --check` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Only what needs no compiler.
    Quick,
    Full,
}

/// `cargo xtask docs --check`
pub(crate) fn run(depth: Depth) -> Result<(), String> {
    let tree = Tree::find()?;
    let tests = test_index::TestIndex::of(&load_all(&tree)?);
    let mut findings = conformance::check(&tree, &tests);
    findings.extend(links::check(&tree)?);
    findings.extend(architecture::check(&tree)?);
    findings.extend(book::check(&tree, &tests)?);
    conclude("docs", &findings)?;
    match depth {
        Depth::Quick => Ok(()),
        Depth::Full => cargo::doc(&tree),
    }
}
