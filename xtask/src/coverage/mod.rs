//! `cargo xtask coverage`: which lines of the connection and the configuration their tests run.
//!
//! ```text
//!   cargo test, built with counters ──► llvm-profdata ──► llvm-cov ──► lines ──► table, floor
//! ```
//!
//! Only what is ours is built with counters: the compiler is started through this program, which
//! cargo does for packages of this repository alone. Lines of unit tests don't count.

mod lines;
mod table;
mod tools;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use self::lines::Lines;
use self::tools::Tools;
use crate::cargo;
use crate::tree::Tree;

/// What is measured: packages, and where their lines are.
const PACKAGES: [(&str, &str); 2] = [
    ("naq-connection", "crates/naq-connection/src"),
    ("naq-config", "crates/naq-config/src"),
];
/// Least share of lines that each package has to reach.
const FLOOR: f64 = 0.9;

/// Set for the compiler that cargo starts through this program.
const WRAPPED: &str = "NAQ_COVERAGE_COMPILER";

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
    let args = ["test", "--no-fail-fast", "--lib", "--bins", "--tests"];
    let mut test = packages_of(cargo::command(&tree, &args));
    counted(&mut test, &folder)?;
    // What ran is told all the same if a test fails.
    let tested = finish(&mut test);
    let text = tools.lcov(&folder, &executables(&tree, &folder)?)?;
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

/// Whether cargo has started this program in place of the compiler.
pub(crate) fn is_compiler() -> bool {
    std::env::var_os(WRAPPED).is_some()
        && std::env::args_os()
            .nth(1)
            .is_some_and(|first| Path::new(&first).file_stem() == Some(OsStr::new("rustc")))
}

/// Runs the compiler as cargo wanted it, with counters.
pub(crate) fn compile() -> Result<(), String> {
    let mut args = std::env::args_os().skip(1);
    let compiler = args.next().ok_or("no compiler is named")?;
    let mut command = Command::new(compiler);
    command.args(args).args(["-C", "instrument-coverage"]);
    finish(&mut command)
}

fn packages_of(mut command: Command) -> Command {
    for (package, _) in PACKAGES {
        command.args(["--package", package]);
    }
    command
}

/// Makes cargo build with counters, and what it starts write them into `folder`.
fn counted(command: &mut Command, folder: &Path) -> Result<(), String> {
    let this = std::env::current_exe().map_err(|error| format!("this program: {error}"))?;
    command
        .env("RUSTC_WORKSPACE_WRAPPER", this)
        .env(WRAPPED, "1")
        .env("LLVM_PROFILE_FILE", folder.join("%m-%p.profraw"));
    Ok(())
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
    counted(&mut command, folder)?;
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

fn finish(command: &mut Command) -> Result<(), String> {
    let program = PathBuf::from(command.get_program());
    let status = command
        .status()
        .map_err(|error| format!("failed to start {}: {error}", program.display()))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{}: {status}", program.display())),
    }
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
