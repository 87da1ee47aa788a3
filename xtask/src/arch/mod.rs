//! The borders of the house: what may use what, what things may be called, who may dial.

mod arrows;
mod cycles;
mod dialling;
mod exports;
mod modules;
mod shape;

use crate::report::{Finding, conclude};
use crate::source::{Source, load_all};
use crate::tree::Tree;

/// `cargo xtask arch`
pub(crate) fn run() -> Result<(), String> {
    let tree = Tree::find()?;
    let sources = load_all(&tree)?;
    let packages = arrows::read_packages(&tree)?;
    let mut findings: Vec<Finding> = arrows::check(&packages);
    for package in &packages {
        let inside: Vec<&Source> = sources
            .iter()
            .filter(|source| source.path.starts_with(package.src()))
            .collect();
        findings.extend(modules::check(&package.src(), &inside));
    }
    for source in &sources {
        findings.extend(dialling::check(source));
        findings.extend(shape::check(source));
    }
    conclude("arch", &findings)
}
