//! Asks a binary for its version: the only proof that it runs on this machine.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::version::{MINIMUM_VERSION, Version};

/// A cold binary on a busy machine may take a while; a hanging wrapper script must not stop us for ever.
const DEADLINE: Duration = Duration::from_secs(10);

/// Why a binary does not serve.
#[derive(Debug)]
pub(super) enum Unusable {
    Missing,
    NotExecutable(io::Error),
    NotNatsServer(String),
    TooOld(Version),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no such file"),
            Self::NotExecutable(e) => write!(f, "cannot be executed: {e}"),
            Self::NotNatsServer(what) => write!(f, "is not a working nats-server: {what}"),
            Self::TooOld(found) => {
                write!(
                    f,
                    "is version {found}, but {MINIMUM_VERSION} or newer is needed"
                )
            }
        }
    }
}

/// Runs `binary --version` and checks the answer.
pub(super) async fn probe(binary: &Path) -> Result<Version, Unusable> {
    if !binary.exists() {
        return Err(Unusable::Missing);
    }
    let mut command = Command::new(binary);
    command
        .arg("--version")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = match timeout(DEADLINE, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(e)) => return Err(Unusable::NotExecutable(e)),
        Err(_) => {
            return Err(Unusable::NotNatsServer(format!(
                "`--version` gave no answer within {DEADLINE:?}"
            )));
        }
    };
    let stdout = String::from_utf8_lossy(&output.stdout);
    match Version::from_output(&stdout) {
        Some(found) if found < MINIMUM_VERSION => Err(Unusable::TooOld(found)),
        Some(found) => Ok(found),
        None => Err(Unusable::NotNatsServer(format!(
            "`--version` ended with {} and said {:?}",
            output.status,
            first_line(&stdout, &output.stderr)
        ))),
    }
}

fn first_line(stdout: &str, stderr: &[u8]) -> String {
    let stderr = String::from_utf8_lossy(stderr);
    let line = stdout
        .lines()
        .chain(stderr.lines())
        .find(|line| !line.trim().is_empty());
    line.unwrap_or_default().chars().take(200).collect()
}
