//! The store directory: made and checked before the server sees it, and locked while we use it.
//!
//! nats-server takes no lock on its store: two servers on one directory destroy it. So we take one.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{EmbeddedError, EmbeddedErrorKind};

/// A directory for JetStream's files.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    /// Held until drop. `None` for a store inside the run directory, which nobody else knows.
    lock: Option<File>,
}

impl Store {
    /// A directory of the user's, which outlives the server.
    pub(crate) fn durable(path: &Path) -> Result<Self, EmbeddedError> {
        let refused = |e: std::io::Error| {
            EmbeddedError::new(
                EmbeddedErrorKind::StoreNotWritable,
                format!(
                    "the store directory {} cannot be made or written; choose another, or repair its permissions",
                    path.display()
                ),
            )
            .with_source(e)
        };
        let path = std::path::absolute(path).map_err(refused)?;
        fs::create_dir_all(&path).map_err(refused)?;
        let lock = File::create(path.join("naq.lock")).map_err(refused)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path,
                lock: Some(lock),
            }),
            Err(TryLockError::Error(e)) => Err(refused(e)),
            Err(TryLockError::WouldBlock) => Err(EmbeddedError::new(
                EmbeddedErrorKind::StoreInUse,
                format!(
                    "another embedded server uses the store directory {}; stop it, or choose another directory",
                    path.display()
                ),
            )),
        }
    }

    /// A directory that goes with `run_dir`.
    pub(crate) fn temporary(run_dir: &Path) -> Self {
        Self {
            path: run_dir.join("store"),
            lock: None,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Said, not left to the closing of the file: a child that another thread has just forked has the file open too,
        // for the moment until it runs its program.
        if let Some(Err(e)) = self.lock.as_ref().map(File::unlock) {
            tracing::warn!("the lock of the store cannot be given back: {e}");
        }
    }
}
