//! From the tests to the verdict.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::lines::Lines;
use super::tools::Tools;
use super::{table, wrapper};
use crate::cargo;
use crate::tree::Tree;

/// What is measured: packages, and where their lines are.
const PACKAGES: [(&str, &str); 2] = [
    ("naq-connection", "crates/naq-connection/src"),
    ("naq-config", "crates/naq-config/src"),
];
/// Least share of lines that each package has to reach.
const FLOOR: f64 = 0.9;

/// What the table shows besides the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    Files,
    /// The lines too that nothing runs.
    Lines,
}

/// Runs the tests, prints the table, and fails if a package is below the floor.
pub(crate) fn run(show: Show) -> Result<(), String> {
    let tree = Tree::find()?;
    let tools = Tools::find()?;
    let folder = target_directory(&tree)?.join("coverage");
    empty(&folder)?;
    let programs = executables(&tree, &folder)?;
    let args = ["test", "--no-fail-fast", "--lib", "--bins", "--tests"];
    let mut test = packages_of(cargo::command(&tree, &args));
    wrapper::counted(&mut test, &folder)?;
    // What ran is told all the same if a test fails.
    let tested = wrapper::finish(&mut test);
    let text = tools.lcov(&folder, &programs)?;
    let mut shares = Vec::new();
    for (package, source) in PACKAGES {
        let lines = Lines::of(&tree, Path::new(source), &text)?;
        shares.push((package, table::print(package, &lines, show)));
    }
    tested.and(judge(&shares))
}

fn judge(shares: &[(&str, f64)]) -> Result<(), String> {
    let below = shares.iter().filter(|(_, share)| *share < FLOOR);
    let below = below.map(|(package, share)| format!("{package} {:.1} %", share * 100.0));
    let below: Vec<_> = below.collect();
    match below.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "below {:.0} % of the lines: {}; `--lines` shows which",
            FLOOR * 100.0,
            below.join(", ")
        )),
    }
}

fn packages_of(mut command: Command) -> Command {
    for (package, _) in PACKAGES {
        command.args(["--package", package]);
    }
    command
}

/// The test programs, which know what their counters mean.
fn executables(tree: &Tree, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let args = [
        "test",
        "--lib",
        "--bins",
        "--tests",
        "--no-run",
        "--message-format=json",
    ];
    let mut command = packages_of(cargo::command(tree, &args));
    wrapper::counted(&mut command, folder)?;
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("failed to start cargo: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let found: Vec<PathBuf> = messages
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .collect();
    match found.is_empty() {
        true => Err("cargo names no test programs".to_owned()),
        false => Ok(found),
    }
}

fn target_directory(tree: &Tree) -> Result<PathBuf, String> {
    let output = cargo::command(tree, &["metadata", "--no-deps", "--format-version=1"])
        .output()
        .map_err(|error| format!("failed to start cargo: {error}"))?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cargo metadata: {error}"))?;
    let folder = metadata["target_directory"].as_str();
    folder
        .map(PathBuf::from)
        .ok_or_else(|| "cargo metadata names no target directory".to_owned())
}

/// Counters of an earlier run would count too.
fn empty(folder: &Path) -> Result<(), String> {
    let told = |error| format!("{}: {error}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(told)?;
    }
    fs::create_dir_all(folder).map_err(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_below_nine_tenths_of_its_lines_fails_and_is_named() {
        assert!(judge(&[("naq-connection", 0.9), ("naq-config", 0.97)]).is_ok());
        let error = judge(&[("naq-connection", 0.899), ("naq-config", 0.97)]).unwrap_err();
        assert!(error.contains("naq-connection 89.9 %"), "{error}");
        assert!(!error.contains("naq-config"), "{error}");
    }
}
