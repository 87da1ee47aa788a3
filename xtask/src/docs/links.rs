//! Relative links in Markdown files lead to files that exist.

use std::path::{Component, Path, PathBuf};

use crate::report::Finding;
use crate::tree::Tree;

pub(crate) fn check(tree: &Tree) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for page in tree.files("md")? {
        let text = tree.read(&page)?;
        for (line, target) in links(&text) {
            if let Some(message) = what_is_wrong(&page, &target, |path| tree.exists(path)) {
                findings.push(Finding::at(&page, line, message));
            }
        }
    }
    Ok(findings)
}

fn what_is_wrong(page: &Path, target: &str, exists: impl Fn(&Path) -> bool) -> Option<String> {
    let path = target.split(['#', '?']).next().unwrap_or_default();
    if path.is_empty() || target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let folder = page.parent().unwrap_or_else(|| Path::new(""));
    match normalised(&folder.join(path)) {
        None => Some(format!("link {target} leads out of the repository")),
        Some(path) if !exists(&path) => Some(format!("link {target} leads to nothing")),
        Some(_) => None,
    }
}

/// Takes out `.` and `..`; nothing when the path is absolute or climbs over the root.
pub(super) fn normalised(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::ParentDir => clean.pop().then_some(())?,
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(clean)
}

/// Targets of `[text](target)` and `[name]: target` with their lines; code is passed over.
pub(super) fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fence: Option<&str> = None;
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        let mark = ["```", "~~~"]
            .into_iter()
            .find(|mark| trimmed.starts_with(mark));
        match (fence, mark) {
            (None, Some(_)) => fence = mark,
            (Some(open), Some(mark)) if open == mark => fence = None,
            (Some(_), _) => {}
            (None, None) => {
                let targets = links_of_line(&without_code(trimmed));
                found.extend(targets.into_iter().map(|target| (index + 1, target)));
            }
        }
    }
    found
}

/// Code spans become empty.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

fn links_of_line(line: &str) -> Vec<String> {
    let mut targets = Vec::new();
    if let Some((_, definition)) = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]: "))
    {
        targets.extend(target_in(definition));
    }
    for after in line.split("](").skip(1) {
        targets.extend(
            after
                .split_once(')')
                .and_then(|(inside, _)| target_in(inside)),
        );
    }
    targets
}

/// The target without its title.
fn target_in(text: &str) -> Option<String> {
    let target = text.split_whitespace().next()?;
    Some(target.trim_matches(['<', '>']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_link_are_found_outside_of_code() {
        let text = "See [a](a.md) and [b](<b.md> \"title\"), not `[c](c.md)`.\n\
            ```\n[d](d.md)\n```\n[name]: e.md\n![picture](f.svg)";
        let found = links(text);
        let expected = [(1, "a.md"), (1, "b.md"), (5, "e.md"), (6, "f.svg")];
        assert_eq!(
            found,
            expected.map(|(line, target)| (line, target.to_owned()))
        );
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        let exists = |path: &Path| path == Path::new("docs/there.md");
        let page = Path::new("docs/guides/page.md");
        assert_eq!(what_is_wrong(page, "../there.md#part", exists), None);
        assert!(what_is_wrong(page, "there.md", exists).is_some());
        assert!(what_is_wrong(page, "../../../there.md", exists).is_some());
    }

    #[test]
    fn links_to_other_places_are_not_ours_to_check() {
        for target in ["https://nats.io/x", "mailto:a@b.example", "#part"] {
            assert_eq!(
                what_is_wrong(Path::new("README.md"), target, |_| false),
                None
            );
        }
    }
}
