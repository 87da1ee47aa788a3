//! `cargo xtask ci`: everything that a change has to pass, in the order of how soon it fails.

mod corpus;
mod demo;
mod steps;

use std::time::{Duration, Instant};

use self::steps::{STEPS, Step};
use crate::tree::Tree;

/// Runs all steps, or those named in a list with commas, and stops at the first that fails.
pub(crate) fn run(only: Option<&str>) -> Result<(), String> {
    let tree = Tree::find()?;
    let chosen = steps::choose(only)?;
    let mut finished: Vec<(&str, Duration)> = Vec::new();
    let mut outcome = Ok(());
    for step in &chosen {
        println!("\n=== {}: {}", step.name, step.what);
        let start = Instant::now();
        let result = (step.run)(&tree);
        let took = start.elapsed();
        println!(
            "=== {}: {} in {:.1} s",
            step.name,
            word(&result),
            took.as_secs_f64()
        );
        finished.push((step.name, took));
        if let Err(error) = result {
            outcome = Err(format!("step {} failed: {error}", step.name));
            break;
        }
    }
    print_summary(&chosen, &finished, outcome.is_ok());
    outcome
}

fn print_summary(chosen: &[&Step], finished: &[(&str, Duration)], all_passed: bool) {
    println!("\n{:10}{:>10}  result", "step", "seconds");
    for (index, step) in chosen.iter().enumerate() {
        match finished.get(index) {
            Some((name, took)) => {
                let passed = all_passed || index + 1 < finished.len();
                let result = if passed { "passed" } else { "FAILED" };
                println!("{name:10}{:>10.1}  {result}", took.as_secs_f64());
            }
            None => println!("{:10}{:>10}  not run", step.name, "-"),
        }
    }
    let left_out = STEPS.len() - chosen.len();
    if left_out > 0 {
        println!("\nnote: {left_out} of {} steps were left out", STEPS.len());
    }
}

fn word(result: &Result<(), String>) -> &'static str {
    if result.is_ok() { "passed" } else { "FAILED" }
}
