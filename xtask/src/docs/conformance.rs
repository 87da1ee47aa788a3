//! `docs/reference/conformance.md`: each row that says done names tests that exist and run.

use std::collections::BTreeMap;
use std::path::Path;

use super::ids;
use super::test_index::{Known, TestIndex};
use crate::report::Finding;
use crate::tree::Tree;

const PAGE: &str = "docs/reference/conformance.md";

pub(crate) fn check(tree: &Tree, tests: &TestIndex) -> Vec<Finding> {
    let page = Path::new(PAGE);
    match tree.read(page) {
        Ok(text) => check_text(&text, &ids::expected(), tests)
            .into_iter()
            .map(|(line, message)| Finding::at(page, line, message))
            .collect(),
        Err(error) => vec![Finding::in_file(page, error)],
    }
}

/// One row of the table: `| id | state | test, test |`.
struct Row<'a> {
    line: usize,
    id: &'a str,
    state: &'a str,
    tests: Vec<&'a str>,
}

fn check_text(text: &str, expected: &[String], tests: &TestIndex) -> Vec<(usize, String)> {
    let mut wrong = Vec::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, text) in text.lines().enumerate() {
        let line = index + 1;
        match parse_row(line, text) {
            None => {}
            Some(Err(message)) => wrong.push((line, message)),
            Some(Ok(row)) => {
                if !expected.iter().any(|id| id == row.id) {
                    wrong.push((line, format!("unknown id {}", row.id)));
                } else if let Some(first) = seen.insert(row.id, line) {
                    wrong.push((
                        line,
                        format!("{} has a row already, in line {first}", row.id),
                    ));
                }
                wrong.extend(check_row(&row, tests));
            }
        }
    }
    let missing = expected.iter().filter(|id| !seen.contains_key(id.as_str()));
    wrong.extend(missing.map(|id| (0, format!("no row for {id}"))));
    wrong
}

/// Nothing for a line that is no row: prose, the header and the ruler of a table.
fn parse_row(line: usize, text: &str) -> Option<Result<Row<'_>, String>> {
    let inner = text.trim().strip_prefix('|')?;
    let cells: Vec<&str> = inner
        .strip_suffix('|')
        .unwrap_or(inner)
        .split('|')
        .collect();
    let id = cells.first()?.trim();
    if id == "id" || id.starts_with("--") {
        return None;
    }
    let [_, state, tests] = cells.as_slice() else {
        return Some(Err(format!(
            "row {id} has {} cells instead of 3",
            cells.len()
        )));
    };
    let tests = tests.split(',').map(|name| name.trim().trim_matches('`'));
    let tests = tests.filter(|name| !name.is_empty()).collect();
    Some(Ok(Row {
        line,
        id,
        state: state.trim(),
        tests,
    }))
}

fn check_row(row: &Row<'_>, tests: &TestIndex) -> Vec<(usize, String)> {
    let id = row.id;
    let messages: Vec<String> = match (row.state, row.tests.as_slice()) {
        ("open", []) => Vec::new(),
        ("open", _) => vec![format!("{id} is open, so it names no test")],
        ("done", []) => vec![format!("{id} is done, so it names at least one test")],
        ("done", names) => names
            .iter()
            .filter_map(|name| check_test(id, name, tests))
            .collect(),
        (state, _) => vec![format!(
            "{id} has the state `{state}`; it is `done` or `open`"
        )],
    };
    messages
        .into_iter()
        .map(|message| (row.line, message))
        .collect()
}

fn check_test(id: &str, name: &str, tests: &TestIndex) -> Option<String> {
    match tests.look_up(name) {
        Known::Runs => None,
        Known::Ignored => Some(format!("{id} names the test {name}, which is ignored")),
        Known::Missing => Some(format!("{id} names the test {name}, which does not exist")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    /// Checks a table that has to have rows for A1 and A2.
    fn wrong_with(table: &str) -> Vec<String> {
        let text = "#[test] fn runs() {} #[test] fn too() {} #[test] #[ignore] fn waits() {}";
        let tests = TestIndex::of(&[Source::parse("tests/a.rs", text.to_owned()).unwrap()]);
        let expected = ["A1".to_owned(), "A2".to_owned()];
        let table = format!("# Title\n\n| id | state | tests |\n|---|---|---|\n{table}");
        let wrong = check_text(&table, &expected, &tests).into_iter();
        wrong
            .map(|(line, message)| format!("{line} {message}"))
            .collect()
    }

    #[test]
    fn a_table_with_open_and_done_rows_passes() {
        let found = wrong_with("| A1 | open | |\n| A2 | done | runs, `too` |\n");
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn a_row_that_claims_a_missing_test_fails() {
        let found = wrong_with("| A1 | open | |\n| A2 | done | runs, invented |\n");
        assert_eq!(
            found,
            ["6 A2 names the test invented, which does not exist"]
        );
    }

    #[test]
    fn an_ignored_test_does_not_count() {
        let found = wrong_with("| A1 | done | waits |\n| A2 | open | |\n");
        assert_eq!(found, ["5 A1 names the test waits, which is ignored"]);
    }

    #[test]
    fn each_id_has_exactly_one_row() {
        let found = wrong_with("| A1 | open | |\n| A1 | open | |\n| A3 | open | |\n");
        let expected = [
            "6 A1 has a row already, in line 5",
            "7 unknown id A3",
            "0 no row for A2",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn state_and_tests_agree() {
        let found = wrong_with("| A1 | open | runs |\n| A2 | done | |\n");
        let expected = [
            "5 A1 is open, so it names no test",
            "6 A2 is done, so it names at least one test",
        ];
        assert_eq!(found, expected);
        let found = wrong_with("| A1 | later | |\n| A2 | done | runs | note |\n");
        assert_eq!(
            found[0],
            "5 A1 has the state `later`; it is `done` or `open`"
        );
        assert_eq!(found[1], "6 row A2 has 4 cells instead of 3");
    }
}
