//! Names that say nothing are banned, and cover pages stay short.

use syn::ItemMod;
use syn::visit::{self, Visit};

use crate::report::Finding;
use crate::source::Source;

const BANNED: [&str; 8] = [
    "util", "utils", "helpers", "common", "misc", "imp", "manager", "core",
];

/// A cover page is documentation, a list of modules and re-exports, and at most one main type.
const COVER_PAGE_LINES: usize = 60;

pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = banned_names(source);
    let name = source.path.file_name();
    if name.is_some_and(|name| name == "lib.rs" || name == "mod.rs") {
        let lines = code_lines(&source.text);
        if lines > COVER_PAGE_LINES {
            findings.push(Finding::in_file(
                &source.path,
                format!("a cover page of {lines} lines of code; at most {COVER_PAGE_LINES}"),
            ));
        }
    }
    findings
}

fn banned_names(source: &Source) -> Vec<Finding> {
    struct Names<'a>(Vec<&'a ItemMod>);
    impl<'ast> Visit<'ast> for Names<'ast> {
        fn visit_item_mod(&mut self, module: &'ast ItemMod) {
            self.0.push(module);
            visit::visit_item_mod(self, module);
        }
    }
    let mut names = Names(Vec::new());
    names.visit_file(&source.ast);
    names
        .0
        .into_iter()
        .filter(|module| BANNED.iter().any(|banned| module.ident == banned))
        .map(|module| {
            let message = format!("module `{}`: name it after what it owns", module.ident);
            Finding::at(&source.path, module.ident.span().start().line, message)
        })
        .collect()
}

/// Lines that are neither blank nor comment.
fn code_lines(text: &str) -> usize {
    let mut in_comment = false;
    let mut count = 0;
    for line in text.lines().map(str::trim) {
        in_comment |= line.starts_with("/*");
        if !in_comment && !line.is_empty() && !line.starts_with("//") {
            count += 1;
        }
        in_comment &= !line.contains("*/");
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let source = Source::parse(path, text.to_owned()).unwrap();
        check(&source)
            .into_iter()
            .map(|finding| finding.to_string())
            .collect()
    }

    #[test]
    fn a_banned_name_is_found_with_its_line() {
        let found = findings("src/lib.rs", "mod good;\nmod utils;");
        assert_eq!(
            found,
            ["src/lib.rs:2: module `utils`: name it after what it owns"]
        );
    }

    #[test]
    fn only_code_counts_on_a_cover_page() {
        let documented = format!("//! Doc.\n/* a\nb */\n\n{}", "// why\nmod x;\n".repeat(60));
        assert_eq!(findings("src/lib.rs", &documented), Vec::<String>::new());
        assert_eq!(findings("src/a/mod.rs", &"mod x;\n".repeat(61)).len(), 1);
        assert_eq!(findings("src/a/b.rs", &"mod x;\n".repeat(61)).len(), 0);
    }
}
