//! How long files and functions may be. Short ones can be read whole.

mod files;
mod functions;
mod table;

use crate::report::conclude;
use crate::source::load_all;
use crate::tree::Tree;

/// `cargo xtask size`
pub(crate) fn run() -> Result<(), String> {
    let sources = load_all(&Tree::find()?)?;
    let files = files::measure(&sources);
    let functions = functions::measure(&sources);
    table::print(&[
        (
            "files, lines",
            files.iter().map(|file| file.total).collect(),
        ),
        ("files, without tests", files::product_lines(&files)),
        (
            "functions",
            functions.iter().map(|function| function.lines).collect(),
        ),
    ]);
    files::warn(&files);
    let mut findings = files::too_long(&files);
    findings.extend(functions::too_long(&functions));
    conclude("size", &findings)
}
