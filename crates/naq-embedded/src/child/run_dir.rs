//! The run directory of one server: configuration, log, and the store if that is temporary.
//!
//! Who removes it: while a child runs, the child's shim does, when this process is gone; otherwise the drop of
//! [`RunDir`]. So nothing is left in the temporary directory, whichever side dies first.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Lines of the log that an error carries.
const TAIL: usize = 20;

#[derive(Debug)]
pub(crate) struct RunDir(TempDir);

impl RunDir {
    pub(crate) fn create() -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix("naq-nats-").tempdir()?;
        Ok(Self(dir))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path().join("nats.conf")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path().join("nats.log")
    }

    /// Says who removes the directory from here on: the shim, or the drop of this value.
    pub(crate) fn leave_to_shim(&mut self, leave: bool) {
        self.0.disable_cleanup(leave);
    }

    /// The last lines of the log.
    pub(crate) fn log_tail(&self) -> Vec<String> {
        let bytes = fs::read(self.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..]
            .iter()
            .map(|line| (*line).to_owned())
            .collect()
    }
}
