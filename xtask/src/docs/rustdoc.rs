//! The reference pages of the crates build without a warning.

use std::process::{Command, Stdio};

use crate::tree::Tree;

pub(crate) fn build(tree: &Tree) -> Result<(), String> {
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["doc", "--no-deps", "--workspace"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .current_dir(tree.root())
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("failed to start cargo doc: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("cargo doc: {status}"))
    }
}
