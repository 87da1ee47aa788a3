//! The tools of the compiler's own LLVM: only those read what it writes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug)]
pub(super) struct Tools {
    folder: PathBuf,
}

impl Tools {
    pub(super) fn find() -> Result<Self, String> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let libraries = text_of(Command::new(rustc).args(["--print", "target-libdir"]))?;
        // lib/rustlib/<target>/lib, and next to it bin.
        let folder = Path::new(libraries.trim()).with_file_name("bin");
        match folder.join("llvm-cov").exists() && folder.join("llvm-profdata").exists() {
            true => Ok(Self { folder }),
            false => Err(format!(
                "no llvm-cov in {}; run `rustup component add llvm-tools`",
                folder.display()
            )),
        }
    }

    /// How often each line ran, in the format of lcov, from the counters in `folder`.
    pub(super) fn lcov(&self, folder: &Path, programs: &[PathBuf]) -> Result<String, String> {
        let merged = folder.join("all.profdata");
        let mut merge = Command::new(self.folder.join("llvm-profdata"));
        merge.args(["merge", "-sparse", "-o"]).arg(&merged);
        text_of(merge.args(counters_in(folder)?))?;
        let mut export = Command::new(self.folder.join("llvm-cov"));
        export.args(["export", "-format=lcov", "-skip-expansions"]);
        export.arg("-instr-profile").arg(&merged);
        for (nth, program) in programs.iter().enumerate() {
            if nth > 0 {
                export.arg("-object");
            }
            export.arg(program);
        }
        text_of(&mut export)
    }
}

fn counters_in(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let told = |error| format!("{}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(told)? {
        let path = entry.map_err(told)?.path();
        if path.extension().is_some_and(|e| e == "profraw") {
            found.push(path);
        }
    }
    match found.is_empty() {
        true => Err(format!(
            "the tests wrote no counters into {}",
            folder.display()
        )),
        false => Ok(found),
    }
}

fn text_of(command: &mut Command) -> Result<String, String> {
    let program = PathBuf::from(command.get_program());
    let output = command
        .output()
        .map_err(|error| format!("failed to start {}: {error}", program.display()))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!(
            "{}: {}",
            program.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}
