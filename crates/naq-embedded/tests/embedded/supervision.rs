//! Dying, coming back, and being told what to do.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::time::Duration;

use naq_embedded::{EmbeddedErrorKind, EmbeddedServer, Phase, RestartPolicy};
use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::raw;
use crate::wait::{SOON, is_alive, kill_9, mentioning, until};

async fn with_a_message() -> EmbeddedServer {
    let server = EmbeddedServer::builder()
        .monitoring(true)
        .start()
        .await
        .unwrap();
    raw::make_stream(server.port(), "S", 1).await;
    raw::publish(server.port(), "S").await;
    server
}

async fn wait_for(server: &EmbeddedServer, phase: Phase) {
    let mut watch = server.watch();
    let reached = watch.wait_for(|status| status.phase == phase);
    let reached = timeout(SOON, reached).await;
    drop(reached.expect("in time").expect("the supervisor lives"));
}

#[tokio::test]
async fn a_server_killed_from_outside_comes_back_with_its_port_and_store() {
    let server = with_a_message().await;
    let (port, url, pid) = (
        server.port(),
        server.monitoring_url(),
        server.pid().unwrap(),
    );
    let mut watch = server.watch();
    kill_9(pid);
    let back = watch.wait_for(|status| status.restarts == 1 && status.phase == Phase::Running);
    drop(timeout(SOON, back).await.unwrap().unwrap());
    assert_ne!(server.pid().unwrap(), pid);
    assert_eq!(raw::messages(port, "S").await, Some(1));
    assert_eq!((server.port(), server.monitoring_url()), (port, url));
    server.monitor("/varz").await.unwrap();
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_whose_shim_is_killed_comes_back_alone() {
    let server = with_a_message().await;
    let run_dir = server
        .log_file()
        .parent()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let pid = server.pid().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let shim = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split(' ')
        .nth(2)
        .unwrap()
        .parse()
        .unwrap();
    kill_9(shim);
    until("it is back", || server.restarts() == 1).await;
    assert_eq!(raw::messages(server.port(), "S").await, Some(1));
    until("the old processes are gone", || {
        mentioning(&run_dir).len() == 3
    })
    .await;
    assert!(!is_alive(pid));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_cannot_come_back_is_given_up_with_the_reason() {
    let policy = RestartPolicy {
        max_in_a_row: 2,
        base_delay: Duration::from_millis(500),
        max_delay: Duration::from_millis(500),
        ..RestartPolicy::default()
    };
    let server = EmbeddedServer::builder()
        .restart_policy(policy)
        .start()
        .await
        .unwrap();
    let taken = kill_and_take_port(&server).await;
    wait_for(&server, Phase::Failed).await;
    let status = server.status();
    assert_eq!(status.pid, None);
    let reason = status.reason.unwrap();
    assert!(reason.contains("in use"), "{reason}");

    let error = server.start_again().await.unwrap_err();
    assert_eq!(error.kind(), EmbeddedErrorKind::PortInUse);
    drop(taken);
    // A child that another test has just forked has the port, too, until it runs its program.
    while let Err(error) = server.start_again().await {
        assert_eq!(error.kind(), EmbeddedErrorKind::PortInUse);
    }
    assert_eq!(server.status().phase, Phase::Running);
    server.stop().await.unwrap();
}

/// The supervisor waits for a random time and may have the port back first: then again.
async fn kill_and_take_port(server: &EmbeddedServer) -> TcpListener {
    loop {
        let before = server.restarts();
        kill_9(server.pid().unwrap());
        while server.restarts() == before {
            if let Ok(taken) = TcpListener::bind(("127.0.0.1", server.port())) {
                return taken;
            }
            tokio::task::yield_now().await;
        }
        // A start on request forgives the losses so far.
        server.kill().await.unwrap();
        server.start_again().await.unwrap();
    }
}

#[tokio::test]
async fn a_killed_server_stays_down_until_it_is_started_again() {
    let server = with_a_message().await;
    let pid = server.pid().unwrap();
    server.kill().await.unwrap();
    assert!(!is_alive(pid));
    assert_eq!((server.status().phase, server.pid()), (Phase::Down, None));
    assert_eq!(
        server.pause().await.unwrap_err().kind(),
        EmbeddedErrorKind::NotRunning
    );
    server.start_again().await.unwrap();
    assert_eq!(raw::messages(server.port(), "S").await, Some(1));
    server.start_again().await.unwrap();
    assert_eq!(server.restarts(), 1);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_restart_and_a_termination_are_graceful() {
    let server = with_a_message().await;
    server.restart().await.unwrap();
    assert_eq!(raw::messages(server.port(), "S").await, Some(1));
    server.terminate().await.unwrap();
    assert_eq!(server.status().phase, Phase::Down);
    let log = std::fs::read_to_string(server.log_file()).unwrap();
    assert_eq!(log.matches("Server Exiting").count(), 2, "{log}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_paused_server_answers_nothing_until_it_goes_on() {
    let server = with_a_message().await;
    server.pause().await.unwrap();
    let asked = raw::messages(server.port(), "S");
    assert!(timeout(Duration::from_millis(200), asked).await.is_err());
    server.resume().unwrap();
    assert_eq!(raw::messages(server.port(), "S").await, Some(1));
    assert_eq!(server.restarts(), 0);
    server.pause().await.unwrap();
    let stopped = timeout(SOON, server.stop()).await;
    stopped.expect("a paused server can be stopped").unwrap();
}

#[tokio::test]
async fn a_lame_duck_ends_and_is_not_brought_back() {
    let config = "lame_duck_grace_period: \"10ms\"\nlame_duck_duration: \"30s\"";
    let server = EmbeddedServer::builder()
        .extra_config(config)
        .start()
        .await
        .unwrap();
    server.lame_duck().await.unwrap();
    wait_for(&server, Phase::Down).await;
    assert_eq!(server.restarts(), 0);
    let log = std::fs::read_to_string(server.log_file()).unwrap();
    assert!(log.contains("lame duck mode"), "{log}");
    server.start_again().await.unwrap();
    server.stop().await.unwrap();
}

#[tokio::test]
async fn an_end_from_outside_that_was_graceful_is_a_loss_too() {
    let dir = TempDir::new().unwrap();
    let server = EmbeddedServer::builder()
        .store_dir(dir.path())
        .start()
        .await
        .unwrap();
    let raw = i32::try_from(server.pid().unwrap()).unwrap();
    let pid = rustix::process::Pid::from_raw(raw).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    until("it is back", || server.restarts() == 1).await;
    server.stop().await.unwrap();
    assert!(dir.path().join("jetstream").exists());
}

/// The system hands out a port with the same question: may it be bound without being shared?
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_ports_of_a_server_that_is_down_are_given_to_nobody_else() {
    let server = with_a_message().await;
    let monitoring = server.monitoring_url().unwrap();
    let monitoring = monitoring.rsplit(':').next().unwrap().parse().unwrap();
    server.kill().await.unwrap();
    for port in [server.port(), monitoring] {
        let other = TcpSocket::new_v4().unwrap();
        let taken = other.bind(([127, 0, 0, 1], port).into()).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        let refused = TcpStream::connect(("127.0.0.1", port)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
    server.start_again().await.unwrap();
    assert_eq!(raw::messages(server.port(), "S").await, Some(1));
    server.stop().await.unwrap();
}
