//! The two tables of the book that have a row for each id: the examples and the contradictions.

use std::collections::BTreeMap;
use std::path::Path;

use super::pages::{Page, Pages, finding};
use crate::docs::links::links;
use crate::docs::test_index::{Known, TestIndex};
use crate::report::Finding;

/// A page and the ids that its table has: each series is a prefix, digits, and the last number.
struct Table {
    page: &'static str,
    series: &'static [(&'static str, usize, usize)],
    cells: usize,
}

const EXAMPLES: Table = Table {
    page: "examples.md",
    series: &[("T06-", 2, 15), ("D09-", 2, 78)],
    cells: 4,
};
const CONTRADICTIONS: Table = Table {
    page: "contradictions.md",
    series: &[("X", 1, 20)],
    cells: 4,
};

pub(super) fn check(pages: &Pages, tests: &TestIndex) -> Vec<Finding> {
    let tables = [&EXAMPLES, &CONTRADICTIONS].into_iter();
    tables
        .flat_map(|table| match pages.get(table.page) {
            Some(page) => table.check(page, tests),
            None => vec![finding(Path::new(table.page), 0, "does not exist")],
        })
        .collect()
}

impl Table {
    fn ids(&self) -> impl Iterator<Item = String> {
        self.series.iter().flat_map(|&(prefix, digits, last)| {
            (1..=last).map(move |number| format!("{prefix}{number:0digits$}"))
        })
    }

    /// Each id has exactly one row, and the last cell of each row shows something: a link into the
    /// book, or tests by name.
    fn check(&self, page: &Page, tests: &TestIndex) -> Vec<Finding> {
        let at = |line: usize, message: String| finding(Path::new(self.page), line, message);
        let mut findings = Vec::new();
        let mut open: BTreeMap<String, bool> = self.ids().map(|id| (id, false)).collect();
        for (line, cells) in rows(&page.text) {
            let id = cells[0];
            match open.get_mut(id) {
                None => findings.push(at(line, format!("unknown id {id}"))),
                Some(true) => findings.push(at(line, format!("{id} has a row already"))),
                Some(seen) => *seen = true,
            }
            if cells.len() != self.cells {
                let message = format!("{id} has {} cells instead of {}", cells.len(), self.cells);
                findings.push(at(line, message));
            }
            let shown = cells.last().copied().unwrap_or_default();
            findings.extend(what_is_wrong(id, shown, tests).map(|message| at(line, message)));
        }
        let missing = open.into_iter().filter(|(_, seen)| !seen);
        findings.extend(missing.map(|(id, _)| at(0, format!("no row for {id}"))));
        findings
    }
}

/// Where a link leads is checked with all the links of the page.
fn what_is_wrong(id: &str, shown: &str, tests: &TestIndex) -> Option<String> {
    let outside = without_links(shown);
    let names: Vec<&str> = outside.split('`').skip(1).step_by(2).collect();
    let missing = names.iter().find(|name| tests.look_up(name) != Known::Runs);
    match missing {
        Some(name) => Some(format!("{id} names the test {name}, which does not run")),
        None if names.is_empty() && links(shown).is_empty() => {
            Some(format!("{id} shows neither an example nor a test"))
        }
        None => None,
    }
}

/// The text of a link may be code that is no test.
fn without_links(cell: &str) -> String {
    let mut parts = cell.split('[');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let target = part.split_once("](").map_or(part, |(_, target)| target);
        text.push_str(target.split_once(')').map_or("", |(_, after)| after));
    }
    text
}

/// The rows of the tables, without their heads.
fn rows(text: &str) -> Vec<(usize, Vec<&str>)> {
    let lines = text.lines().enumerate();
    let rows = lines.filter_map(|(index, line)| {
        let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
        let cells: Vec<&str> = inner.split('|').map(str::trim).collect();
        let is_head = cells[0] == "id" || cells[0].starts_with("--");
        (!is_head).then_some((index + 1, cells))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    const TWO: Table = Table {
        page: "two.md",
        series: &[("A-", 2, 1), ("B", 1, 1)],
        cells: 3,
    };

    fn wrong_with(rows: &str) -> Vec<String> {
        let tests = "#[test] fn runs() {} #[test] #[ignore] fn waits() {}";
        let tests = TestIndex::of(&[Source::parse("tests/a.rs", tests.to_owned()).unwrap()]);
        let mut pages = Pages::default();
        pages.add(
            "two.md",
            format!("| id | what | where |\n|---|---|---|\n{rows}"),
        );
        let found = TWO.check(pages.get("two.md").unwrap(), &tests);
        let told = |found: &Finding| format!("{} {}", found.line, found.message);
        found.iter().map(told).collect()
    }

    #[test]
    fn links_and_tests_are_both_good_enough() {
        let found = wrong_with("| A-01 | x | [`f()`](a.md#b) |\n| B1 | y | `runs` |");
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn each_id_has_one_row_of_the_right_length() {
        let found = wrong_with("| A-01 | [a](b.md) |\n| A-01 | x | `runs` |\n| C1 | x | `runs` |");
        let expected = [
            "3 A-01 has 2 cells instead of 3",
            "4 A-01 has a row already",
            "5 unknown id C1",
            "0 no row for B1",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_row_that_shows_nothing_is_found() {
        let found = wrong_with("| A-01 | x | soon |\n| B1 | y | `runs`, `waits` |");
        let expected = [
            "3 A-01 shows neither an example nor a test",
            "4 B1 names the test waits, which does not run",
        ];
        assert_eq!(found, expected);
    }
}
