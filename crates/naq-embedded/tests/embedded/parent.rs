//! The server dies with its parent. The parent is this test program, run once more.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use naq_embedded::EmbeddedServer;
use tempfile::TempDir;

use crate::wait::{is_alive, kill_9, mentioning, until};

const STORE: &str = "NAQ_TEST_PARENT_STORE";
const PAUSED: &str = "NAQ_TEST_PARENT_PAUSES";

/// The parent's part, for a test that was started once more by itself: starts a server, says where, and hangs.
async fn hang_if_started_as_the_parent() {
    let Some(store) = std::env::var_os(STORE) else {
        return;
    };
    let server = EmbeddedServer::builder()
        .store_dir(store)
        .start()
        .await
        .unwrap();
    if std::env::var_os(PAUSED).is_some() {
        server.pause().await.unwrap();
    }
    // Past the test harness, which would keep it.
    let (pid, log) = (server.pid().unwrap(), server.log_file().display());
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "\nserver {pid} {log}").unwrap();
    drop(stdout);
    std::future::pending::<()>().await;
}

struct Parent {
    child: Child,
    server: u32,
    run_dir: PathBuf,
}

/// Starts the test `name` of this program as the parent.
fn start_parent(name: &str, store: &TempDir, paused: bool) -> Parent {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", name, "--nocapture"])
        .env(STORE, store.path())
        .stdout(Stdio::piped());
    if paused {
        command.env(PAUSED, "1");
    }
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines
        .find_map(|line| Some(line.unwrap().strip_prefix("server ")?.to_owned()))
        .expect("the parent says where its server is");
    let (pid, log) = line.split_once(' ').unwrap();
    Parent {
        child,
        server: pid.parse().unwrap(),
        run_dir: PathBuf::from(log).parent().unwrap().to_owned(),
    }
}

impl Parent {
    async fn dies_with_its_server(mut self) {
        assert!(is_alive(self.server));
        kill_9(self.child.id());
        self.child.wait().unwrap();
        until("the server is gone", || !is_alive(self.server)).await;
        let run_dir = self.run_dir.to_str().unwrap();
        until("the shim is gone", || mentioning(run_dir).is_empty()).await;
        assert!(!self.run_dir.exists());
    }
}

#[tokio::test]
async fn a_server_dies_with_a_parent_that_is_killed() {
    hang_if_started_as_the_parent().await;
    let store = TempDir::new().unwrap();
    let name = "parent::a_server_dies_with_a_parent_that_is_killed";
    start_parent(name, &store, false)
        .dies_with_its_server()
        .await;
    assert!(
        store.path().join("jetstream").exists(),
        "the durable store stays"
    );
}

#[tokio::test]
async fn a_paused_server_dies_with_a_parent_that_is_killed() {
    hang_if_started_as_the_parent().await;
    let store = TempDir::new().unwrap();
    let name = "parent::a_paused_server_dies_with_a_parent_that_is_killed";
    start_parent(name, &store, true)
        .dies_with_its_server()
        .await;
}

#[tokio::test]
async fn the_server_is_in_a_process_group_of_its_own() {
    let server = EmbeddedServer::builder().start().await.unwrap();
    let raw = i32::try_from(server.pid().unwrap()).unwrap();
    let pid = rustix::process::Pid::from_raw(raw);
    assert_ne!(
        rustix::process::getpgid(pid).unwrap(),
        rustix::process::getpgrp()
    );
    server.stop().await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_server_holds_neither_the_lifeline_nor_the_output_of_its_parent() {
    let server = EmbeddedServer::builder().start().await.unwrap();
    let log = server.log_file().to_owned();
    let pid = server.pid().unwrap();
    let target = |fd: u32| std::fs::read_link(format!("/proc/{pid}/fd/{fd}"));
    assert_eq!(target(0).unwrap(), PathBuf::from("/dev/null"));
    assert_eq!((target(1).unwrap(), target(2).unwrap()), (log.clone(), log));
    // Higher ones may come from whatever started this test program; a shell cannot close them.
    for file in (3..10).filter_map(|fd| target(fd).ok()) {
        assert!(!file.to_string_lossy().starts_with("pipe:"), "{file:?}");
    }
    server.stop().await.unwrap();
}
