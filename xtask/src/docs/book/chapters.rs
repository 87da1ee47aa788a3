//! Each page is in the table of contents, and each page with examples is compiled.

use std::path::Path;

use super::pages::{Pages, finding};
use crate::report::Finding;
use crate::tree::Tree;

const SUMMARY: &str = "SUMMARY.md";
const EXAMPLES: &str = "docs/book/examples.rs";

pub(super) fn check(tree: &Tree, pages: &Pages) -> Result<Vec<Finding>, String> {
    Ok(check_text(pages, &tree.read(Path::new(EXAMPLES))?))
}

fn check_text(pages: &Pages, examples: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let contents = pages.get(SUMMARY).map_or("", |page| page.text.as_str());
    for name in pages.names().filter(|name| *name != Path::new(SUMMARY)) {
        let shown = name.display().to_string();
        if !contents.contains(&format!("({shown})")) {
            findings.push(finding(name, 0, format!("{SUMMARY} does not list it")));
        }
        let page = pages.get(&shown);
        let has_examples = page.is_some_and(|page| page.text.contains("```rust"));
        if has_examples && !examples.contains(&format!("\"src/{shown}\"")) {
            let message =
                format!("{EXAMPLES} does not include it, so its examples are not compiled");
            findings.push(finding(name, 0, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_not_listed_or_not_compiled_is_found() {
        let mut pages = Pages::default();
        pages.add("SUMMARY.md", "- [One](one.md)\n- [Two](deep/two.md)".into());
        pages.add("one.md", "```rust\n```".into());
        pages.add("deep/two.md", "no example".into());
        assert_eq!(check_text(&pages, "One: \"src/one.md\","), []);

        pages.add("three.md", "```rust\n```".into());
        let found = check_text(&pages, "One: \"src/one.md\",");
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|found| found.path.ends_with("three.md")));
    }
}
