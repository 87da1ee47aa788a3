//! Section `workers`: how jobs are run.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Section `workers`.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkersSettings {
    /// Jobs that one worker runs at the same time, 1 to 1000. Default 10.
    pub concurrency: u32,
    /// Time between two signs of life of a worker. Default 15 s.
    pub heartbeat_interval: Duration,
    /// Time after which a silent worker is forgotten. Default 60 s.
    pub ttl: Duration,
    /// Time limit of one attempt of a job that sets none. Default 1 h, at most 24 h.
    pub max_job_duration: Duration,
    /// Time that a stopping worker gives its running jobs. Default 30 s.
    pub shutdown_timeout: Duration,
    /// Named sets of queues with their own concurrency.
    pub pools: BTreeMap<String, PoolSettings>,
    /// Commands that `naq worker` runs, by job kind.
    pub handlers: BTreeMap<String, CommandHandler>,
}

/// Section `workers.pools.<name>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolSettings {
    /// Jobs that the pool runs at the same time.
    pub concurrency: u32,
    /// Queues that the pool serves; at least one.
    pub queues: Vec<String>,
}

/// Section `workers.handlers.<kind>`: a program that handles one job kind. No shell is involved.
///
/// `Debug` shows the names of the environment variables only, since their values may be secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandHandler {
    /// The program and its arguments; at least one element.
    pub command: Vec<String>,
    /// Time limit of one attempt; `None` means the job's or the worker's.
    pub timeout: Option<Duration>,
    /// Environment variables besides those of NAQ.
    pub environment: BTreeMap<String, String>,
    /// Directory that the program starts in; `None` means the worker's.
    pub working_directory: Option<PathBuf>,
    /// Bytes of standard output that are taken as the result; more is an error. Default 512 KiB.
    pub max_output: u64,
    /// Time between SIGTERM and SIGKILL when the attempt ends early. Default 5 s.
    pub stop_grace: Duration,
}

impl Default for WorkersSettings {
    fn default() -> Self {
        Self {
            concurrency: 10,
            heartbeat_interval: Duration::from_secs(15),
            ttl: Duration::from_secs(60),
            max_job_duration: Duration::from_secs(3600),
            shutdown_timeout: Duration::from_secs(30),
            pools: BTreeMap::new(),
            handlers: BTreeMap::new(),
        }
    }
}

impl CommandHandler {
    /// A handler that runs `command`, with the defaults for the rest.
    pub fn new(command: Vec<String>) -> Self {
        Self {
            command,
            timeout: None,
            environment: BTreeMap::new(),
            working_directory: None,
            max_output: 512 * 1024,
            stop_grace: Duration::from_secs(5),
        }
    }
}

impl fmt::Debug for CommandHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandHandler")
            .field("command", &self.command)
            .field("timeout", &self.timeout)
            .field("environment", &self.environment.keys())
            .field("working_directory", &self.working_directory)
            .field("max_output", &self.max_output)
            .field("stop_grace", &self.stop_grace)
            .finish()
    }
}
