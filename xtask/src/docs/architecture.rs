//! `ARCHITECTURE.md` names every crate, and the paths in its tables exist.

use std::path::Path;

use crate::report::Finding;
use crate::tree::Tree;

const PAGE: &str = "ARCHITECTURE.md";

pub(crate) fn check(tree: &Tree) -> Result<Vec<Finding>, String> {
    let page = Path::new(PAGE);
    if !tree.exists(page) {
        return Ok(vec![Finding::in_file(page, "does not exist")]);
    }
    let crates = tree.folders_in(Path::new("crates"))?;
    let wrong = check_text(&tree.read(page)?, &crates, |path| tree.exists(path));
    Ok(wrong
        .into_iter()
        .map(|(line, message)| Finding::at(page, line, message))
        .collect())
}

fn check_text(
    text: &str,
    crates: &[String],
    exists: impl Fn(&Path) -> bool,
) -> Vec<(usize, String)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '-';
    let words: Vec<&str> = text.split(|c| !is_part(c)).collect();
    let missing = crates.iter().filter(|name| !words.contains(&name.as_str()));
    let mut wrong: Vec<(usize, String)> = missing
        .map(|name| (0, format!("does not mention the crate {name}")))
        .collect();
    for (index, row) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.starts_with('|'))
    {
        let code = row.split('`').skip(1).step_by(2);
        for path in code.filter(|code| looks_like_a_path(code)) {
            let known = up_to_placeholder(path);
            if !exists(Path::new(known)) && !exists(&Path::new("crates").join(known)) {
                wrong.push((index + 1, format!("there is no {path}")));
            }
        }
    }
    wrong
}

fn looks_like_a_path(code: &str) -> bool {
    let file = [".rs", ".md", ".toml", ".yaml"]
        .iter()
        .any(|end| code.ends_with(end));
    let path = code.contains('/') && !code.contains("//") && !code.starts_with('/');
    !code.contains(char::is_whitespace) && (file || path)
}

/// `settings/<section>.rs` and `settings/*.rs` stand for what is in `settings/`.
fn up_to_placeholder(path: &str) -> &str {
    match path.find(['<', '*', '{']) {
        Some(end) => path[..end].rfind('/').map_or("", |slash| &path[..=slash]),
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong_with(text: &str) -> Vec<String> {
        let there = ["crates/naq/src/", "crates/naq-jobs/src/wire/", "Cargo.toml"];
        let crates = ["naq".to_owned(), "naq-jobs".to_owned()];
        let exists = |path: &Path| there.iter().any(|known| Path::new(known) == path);
        let wrong = check_text(text, &crates, exists).into_iter();
        wrong
            .map(|(line, message)| format!("{line} {message}"))
            .collect()
    }

    #[test]
    fn a_crate_that_is_not_mentioned_is_found() {
        assert_eq!(wrong_with("naq-jobs"), ["0 does not mention the crate naq"]);
    }

    #[test]
    fn paths_in_tables_exist() {
        let text = "`naq`, `naq-jobs`, `not/in/a/table.rs`\n\
            | a field | `naq-jobs/src/wire/<field>.rs`, `Cargo.toml`, `GET /x`, `naq::Job` |\n\
            | gone | `crates/naq/src/gone.rs` |";
        assert_eq!(wrong_with(text), ["3 there is no crates/naq/src/gone.rs"]);
    }
}
