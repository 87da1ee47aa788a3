//! The checks and chores of this repository: `cargo xtask <command>`.
//!
//! One command a folder. A check prints what is wrong, one line each with file and line, and the
//! process ends with 1.
#![expect(clippy::print_stdout, reason = "a command line tool prints")]
#![expect(clippy::print_stderr, reason = "a command line tool prints")]

use std::process::ExitCode;

mod arch;
mod cargo;
mod ci;
mod coverage;
mod docs;
mod report;
mod server;
mod size;
mod source;
mod tree;

const USAGE: &str = "usage: cargo xtask <command>

  arch                    crate arrows, module cycles, who may dial, names, cover pages
  size                    lines in files and functions
  docs --check [--quick]  conformance table, links, the book, ARCHITECTURE.md; cargo doc unless --quick
  coverage [--lines]      which lines of naq-connection and naq-config their tests run
  server find|fetch       the nats-server that the tests take; fetch: the pinned one, into the cache
  ci [--only STEP,STEP]   everything that a change has to pass";

fn main() -> ExitCode {
    if coverage::is_compiler() {
        return conclude(coverage::compile());
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    conclude(run(&args))
}

fn conclude(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[&str]) -> Result<(), String> {
    match args {
        ["arch"] => arch::run(),
        ["size"] => size::run(),
        ["docs", "--check"] => docs::run(docs::Depth::Full),
        ["docs", "--check", "--quick"] => docs::run(docs::Depth::Quick),
        ["coverage"] => coverage::run(coverage::Show::Files),
        ["coverage", "--lines"] => coverage::run(coverage::Show::Lines),
        ["server", "find"] => server::run(server::Places::All),
        ["server", "fetch"] => server::run(server::Places::Cache),
        ["ci"] => ci::run(None),
        ["ci", "--only", steps] => ci::run(Some(steps)),
        _ => Err(format!("unknown command\n\n{USAGE}")),
    }
}
