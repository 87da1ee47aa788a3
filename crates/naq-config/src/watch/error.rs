//! Why a watch could not begin.

use crate::ConfigError;

/// Why a watch could not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// The settings cannot be loaded now.
    #[error(transparent)]
    Settings(#[from] ConfigError),
    /// The system refuses to watch: often a limit, such as `fs.inotify.max_user_watches`.
    #[error("the configuration files cannot be watched: {0}")]
    System(#[from] notify::Error),
    /// The system refuses a thread.
    #[error("the configuration files cannot be watched: {0}")]
    Thread(#[from] std::io::Error),
}
