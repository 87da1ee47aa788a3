//! This program in place of the compiler, for the packages of this repository.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Set for the compiler that cargo starts through this program.
const WRAPPED: &str = "NAQ_COVERAGE_COMPILER";

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

/// Makes cargo build with counters, and what it starts write them into `folder`.
pub(super) fn counted(command: &mut Command, folder: &Path) -> Result<(), String> {
    let this = std::env::current_exe().map_err(|error| format!("this program: {error}"))?;
    command
        .env("RUSTC_WORKSPACE_WRAPPER", this)
        .env(WRAPPED, "1")
        .env("LLVM_PROFILE_FILE", folder.join("%m-%p.profraw"));
    Ok(())
}

/// Runs it to its end.
pub(super) fn finish(command: &mut Command) -> Result<(), String> {
    let program = PathBuf::from(command.get_program());
    let status = command
        .status()
        .map_err(|error| format!("failed to start {}: {error}", program.display()))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{}: {status}", program.display())),
    }
}
