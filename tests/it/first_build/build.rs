//! Builds the first version that spoke wire 1 from its own source.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::OnceCell;

/// `git archive 4db4698` of the crates that a worker needs.
const CRATES: &[u8] = include_bytes!("../../first-build/4db4698.tar.gz");
const MANIFEST: &str = include_str!("../../first-build/Cargo.toml");
const PROGRAM: &str = include_str!("../../first-build/src/main.rs");
/// The dependencies in the versions of today: what both builds use is compiled once.
const LOCK: &str = include_str!("../../../Cargo.lock");

/// Fifteen seconds of one core, if the dependencies are there.
const DEADLINE: Duration = Duration::from_secs(900);

static BUILT: OnceCell<PathBuf> = OnceCell::const_new();

/// The program; built once, and not again as long as it has not changed.
pub(super) async fn first_build() -> &'static Path {
    BUILT.get_or_init(build).await
}

async fn build() -> PathBuf {
    // `target/debug`, or whatever it is called here.
    let profile = Path::new(env!("CARGO_BIN_EXE_it-worker")).parent().unwrap();
    let target = profile.parent().unwrap();
    let source = target.join("first-build");
    unpack(&source).await;
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--manifest-path"])
        .arg(source.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        // Warnings of a new compiler about old code.
        .env("RUSTFLAGS", std::env::var("RUSTFLAGS").unwrap_or_default());
    run(&mut cargo).await;
    target.join("debug/first-build")
}

async fn unpack(source: &Path) {
    fs::create_dir_all(source.join("src")).unwrap();
    let archive = source.join("crates.tar.gz");
    // Untouched files keep their times, so nothing is built twice.
    if fs::read(&archive).ok().as_deref() != Some(CRATES) {
        let partial = source.join("crates.tar.gz.partial");
        fs::write(&partial, CRATES).unwrap();
        let mut tar = Command::new("tar");
        tar.arg("xzf").arg(&partial).arg("-C").arg(source);
        run(&mut tar).await;
        fs::rename(partial, archive).unwrap();
    }
    for (name, text) in [("Cargo.toml", MANIFEST), ("src/main.rs", PROGRAM)] {
        let file = source.join(name);
        if fs::read_to_string(&file).ok().as_deref() != Some(text) {
            fs::write(file, text).unwrap();
        }
    }
    // Cargo takes out what is not needed here.
    fs::write(source.join("Cargo.lock"), LOCK).unwrap();
}

async fn run(command: &mut Command) {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(DEADLINE, command.output()).await;
    let output = output.expect("the first build is built in time").unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
