//! Cargo, started in the root of the repository and without input.

use std::process::{Command, Stdio};

use crate::tree::Tree;

/// A cargo command that has yet to be run.
pub(crate) fn command(tree: &Tree, args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(args)
        .current_dir(tree.root())
        .stdin(Stdio::null());
    command
}

/// Runs cargo; what it prints goes to the terminal.
pub(crate) fn run(tree: &Tree, args: &[&str]) -> Result<(), String> {
    wait_for(&mut command(tree, args), args)
}

/// The reference pages of all crates, where a warning is an error.
pub(crate) fn doc(tree: &Tree) -> Result<(), String> {
    let args = ["doc", "--no-deps", "--workspace"];
    wait_for(
        command(tree, &args).env("RUSTDOCFLAGS", "-D warnings"),
        &args,
    )
}

fn wait_for(command: &mut Command, args: &[&str]) -> Result<(), String> {
    let status = command
        .status()
        .map_err(|error| format!("failed to start cargo: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("cargo {}: {status}", args.join(" ")))
    }
}
