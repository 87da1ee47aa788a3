//! Other programs, started in the root of the repository and without input.

use std::process::{Command, Stdio};

use crate::tree::Tree;

/// A cargo command that has yet to be run.
pub(crate) fn cargo_command(tree: &Tree, args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(args)
        .current_dir(tree.root())
        .stdin(Stdio::null());
    command
}

/// Runs cargo; what it prints goes to the terminal.
pub(crate) fn cargo(tree: &Tree, args: &[&str]) -> Result<(), String> {
    let status = cargo_command(tree, args)
        .status()
        .map_err(|error| format!("failed to start cargo: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("cargo {}: {status}", args.join(" ")))
    }
}
