//! Installs Debian's packages, where that is allowed without asking.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::find::BrowserLookup;

const PACKAGES: [&str; 2] = ["chromium", "chromium-driver"];

/// A hundred megabytes over a slow line.
const DEADLINE: Duration = Duration::from_secs(600);

const LOCK_POLL: Duration = Duration::from_millis(50);

/// Installs both packages, unless another process has done it meanwhile; what stood in the way, if something did.
pub(super) async fn install(lookup: &BrowserLookup) -> Result<(), String> {
    let apt = lookup
        .program("apt-get")
        .ok_or("Debian's packages: no apt-get on PATH")?;
    let mut start = vec![apt.into_os_string()];
    if !rustix::process::geteuid().is_root() {
        let sudo = lookup
            .program("sudo")
            .ok_or("Debian's packages: this is not root, and there is no sudo on PATH")?;
        start.splice(0..0, [sudo.into_os_string(), OsString::from("-n")]);
    }
    let work = async {
        let _lock = lock().await?;
        if lookup.there(&mut Vec::new()).is_some() {
            return Ok(());
        }
        tracing::info!("installing {}", PACKAGES.join(" and "));
        // A new machine has no lists of packages, an old one lists of packages that are gone.
        run(lookup, &start, &["update", "-q"]).await?;
        let quiet = ["install", "-q", "-y", "--no-install-recommends"];
        // Who installs something else at the moment is waited for.
        let patient = ["-o", "DPkg::Lock::Timeout=300"];
        run(lookup, &start, &[&quiet[..], &patient, &PACKAGES].concat()).await
    };
    let done = timeout(DEADLINE, work).await;
    done.unwrap_or_else(|_| Err(format!("Debian's packages: not done within {DEADLINE:?}")))
}

/// Polls instead of blocking a thread on the lock, so that a caller that gives up leaves nothing behind.
async fn lock() -> Result<File, String> {
    let path: PathBuf = std::env::temp_dir().join("naq-install-browser.lock");
    let problem = |e| format!("{}: cannot be locked: {e}", path.display());
    let file = File::create(&path).map_err(problem)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => sleep(LOCK_POLL).await,
            Err(TryLockError::Error(e)) => return Err(problem(e)),
        }
    }
}

async fn run(lookup: &BrowserLookup, start: &[OsString], words: &[&str]) -> Result<(), String> {
    let mut command = Command::new(&start[0]);
    command
        .args(&start[1..])
        .args(words)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .envs(lookup.path.as_ref().map(|path| ("PATH", path)))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let said = format!("`{} {}`", start[0].display(), words.join(" "));
    match command.output().await {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "{said} ended with {}: {}",
            output.status,
            last_lines(&output.stderr)
        )),
        Err(e) => Err(format!("{said} cannot be executed: {e}")),
    }
}

fn last_lines(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(4)..].join(" | ")
}
