//! Runs the demo and does not take its word: the sums it reports are counted again here.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use super::corpus::{self, Sums};
use crate::cargo;
use crate::tree::Tree;

/// Tracked files only, and no two runs differ.
const FOLDER: &str = "crates";

// Where the numbers are in what the demo prints.
const LOST: &str = "/lost";
const EXECUTED_TWICE: &str = "/executed_twice";
const ENQUEUED: &str = "/jobs/enqueued";
const COMPLETED: &str = "/jobs/completed";
const DEAD: &str = "/jobs/dead";
const FILES: &str = "/corpus/files";
const LINES: &str = "/corpus/lines";
const WORDS: &str = "/corpus/words";

pub(crate) fn check(tree: &Tree) -> Result<(), String> {
    let counted = corpus::count(tree, Path::new(FOLDER))?;
    let output = cargo::command(tree, &["run", "--release", "--", "demo", "--json", FOLDER])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("failed to start the demo: {error}"))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    println!("{printed}");
    if !output.status.success() {
        return Err(format!("the demo ended with {}", output.status));
    }
    validate(&printed, counted)
}

/// What the demo printed is one JSON object and nothing else, and its numbers are right.
fn validate(printed: &str, counted: Sums) -> Result<(), String> {
    let report: Value = serde_json::from_str(printed)
        .map_err(|error| format!("the output is not one JSON value: {error}"))?;
    if !report.is_object() {
        return Err("the output is not a JSON object".to_owned());
    }
    let number = |pointer: &str| {
        let value = report.pointer(pointer).and_then(Value::as_u64);
        value.ok_or_else(|| format!("{pointer} is not a whole number in the output"))
    };
    let expect = |pointer: &str, expected: u64| match number(pointer)? {
        found if found == expected => Ok(()),
        found => Err(format!("{pointer} is {found}; it should be {expected}")),
    };
    expect(LOST, 0)?;
    expect(EXECUTED_TWICE, 0)?;
    expect(ENQUEUED, number(COMPLETED)?.saturating_add(number(DEAD)?))?;
    if number(ENQUEUED)? == 0 {
        return Err("the demo has enqueued nothing".to_owned());
    }
    expect(FILES, counted.files)?;
    expect(LINES, counted.lines)?;
    expect(WORDS, counted.words)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COUNTED: Sums = Sums {
        files: 3,
        lines: 40,
        words: 500,
    };

    fn right() -> Value {
        json!({
            "lost": 0,
            "executed_twice": 0,
            "jobs": { "enqueued": 7, "completed": 6, "dead": 1 },
            "corpus": { "files": 3, "lines": 40, "words": 500 },
        })
    }

    #[test]
    fn right_numbers_pass() {
        assert_eq!(validate(&format!("{}\n", right()), COUNTED), Ok(()));
    }

    #[test]
    fn each_wrong_number_fails() {
        for pointer in [
            LOST,
            EXECUTED_TWICE,
            ENQUEUED,
            COMPLETED,
            DEAD,
            FILES,
            LINES,
            WORDS,
        ] {
            let mut report = right();
            *report.pointer_mut(pointer).unwrap() = json!(9);
            assert!(validate(&report.to_string(), COUNTED).is_err(), "{pointer}");
            *report.pointer_mut(pointer).unwrap() = json!("0");
            assert!(validate(&report.to_string(), COUNTED).is_err(), "{pointer}");
        }
    }

    #[test]
    fn anything_but_one_object_fails() {
        for printed in [
            String::new(),
            format!("ready\n{}", right()),
            format!("{0}\n{0}", right()),
            "[]".into(),
        ] {
            assert!(validate(&printed, COUNTED).is_err(), "{printed}");
        }
    }

    #[test]
    fn a_demo_without_jobs_fails() {
        let mut report = right();
        report["jobs"] = json!({ "enqueued": 0, "completed": 0, "dead": 0 });
        assert!(validate(&report.to_string(), COUNTED).is_err());
    }
}
