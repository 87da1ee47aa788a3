//! Starting, and failing to start.

use std::net::TcpListener;
use std::time::Duration;

use naq_embedded::{EmbeddedErrorKind, EmbeddedServer, LookupErrorKind, Phase};
use tempfile::TempDir;

use crate::raw;
use crate::wait::{is_alive, mentioning, until};

#[tokio::test]
async fn a_started_server_serves_jetstream_at_once() {
    let server = EmbeddedServer::builder().start().await.unwrap();
    raw::make_stream(server.port(), "S", 1).await;
    assert_eq!(raw::publish(server.port(), "S").await, 1);
    assert_eq!(server.url(), format!("nats://127.0.0.1:{}", server.port()));
    assert_eq!(server.monitoring_url(), None);
    let error = server.monitor("/varz").await.unwrap_err();
    assert_eq!(error.kind(), EmbeddedErrorKind::Monitoring);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn the_settings_of_the_builder_reach_the_server() {
    let dir = TempDir::new().unwrap();
    let server = EmbeddedServer::builder()
        .store_dir(dir.path().join("a \"b\" $c"))
        .server_name("my-server")
        .monitoring(true)
        .max_payload(123_456)
        .sync_always(true)
        .extra_config("max_connections: 77")
        .start()
        .await
        .unwrap();
    let varz = server.monitor("/varz").await.unwrap();
    assert_eq!(varz["server_name"], "my-server");
    assert_eq!(varz["max_payload"], 123_456);
    assert_eq!(varz["max_connections"], 77);
    assert_eq!(varz["host"], "127.0.0.1");
    let jsz = server.monitor("/jsz").await.unwrap();
    assert_eq!(jsz["config"]["sync_always"], true, "{jsz}");
    let store = server.store_dir().join("jetstream");
    assert_eq!(jsz["config"]["store_dir"], store.to_str().unwrap());
    server.stop().await.unwrap();
}

#[tokio::test]
async fn two_servers_do_not_disturb_each_other() {
    let builder = || EmbeddedServer::builder().start();
    let (one, two) = tokio::join!(builder(), builder());
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.port(), two.port());
    raw::make_stream(one.port(), "S", 1).await;
    assert_eq!(raw::messages(one.port(), "S").await, Some(0));
    assert_eq!(raw::messages(two.port(), "S").await, None);
    one.stop().await.unwrap();
    raw::make_stream(two.port(), "S", 1).await;
    two.stop().await.unwrap();
}

#[tokio::test]
async fn a_graceful_stop_leaves_no_process_and_no_temporary_store() {
    let server = EmbeddedServer::builder().start().await.unwrap();
    raw::make_stream(server.port(), "S", 1).await;
    let run_dir = server.log_file().parent().unwrap().to_owned();
    assert!(server.store_dir().starts_with(&run_dir));
    // The shim, its watcher, and the server.
    assert_eq!(mentioning(run_dir.to_str().unwrap()).len(), 3);
    let pid = server.pid().unwrap();
    server.stop().await.unwrap();
    assert!(!is_alive(pid));
    assert_eq!(mentioning(run_dir.to_str().unwrap()), Vec::<u32>::new());
    assert!(!run_dir.exists());
}

#[tokio::test]
async fn a_drop_without_stop_ends_the_server_and_removes_its_temporary_store() {
    let server = EmbeddedServer::builder().start().await.unwrap();
    let run_dir = server.log_file().parent().unwrap().to_owned();
    drop(server);
    until("the processes are gone", || {
        mentioning(run_dir.to_str().unwrap()).is_empty()
    })
    .await;
    until("the run directory is gone", || !run_dir.exists()).await;
}

#[tokio::test]
async fn a_durable_store_outlives_its_server() {
    let dir = TempDir::new().unwrap();
    let start = || EmbeddedServer::builder().store_dir(dir.path()).start();
    let first = start().await.unwrap();
    raw::make_stream(first.port(), "S", 1).await;
    raw::publish(first.port(), "S").await;
    first.stop().await.unwrap();
    let second = start().await.unwrap();
    assert_eq!(raw::messages(second.port(), "S").await, Some(1));
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_store_in_use_is_refused() {
    let dir = TempDir::new().unwrap();
    let start = || EmbeddedServer::builder().store_dir(dir.path()).start();
    let first = start().await.unwrap();
    let error = start().await.unwrap_err();
    assert_eq!(error.kind(), EmbeddedErrorKind::StoreInUse);
    assert!(error.is_transient());
    first.stop().await.unwrap();
    start().await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn a_port_in_use_is_its_own_kind_of_error_and_carries_the_log() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = EmbeddedServer::builder()
        .port(port)
        .start()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), EmbeddedErrorKind::PortInUse, "{error}");
    assert!(
        error.to_string().contains("address already in use"),
        "{error}"
    );
    assert!(!error.log().is_empty());
}

#[tokio::test]
async fn a_port_of_another_nats_server_is_in_use_too() {
    let first = EmbeddedServer::builder().start().await.unwrap();
    let second = EmbeddedServer::builder().port(first.port()).start().await;
    assert_eq!(second.unwrap_err().kind(), EmbeddedErrorKind::PortInUse);
    first.stop().await.unwrap();
}

#[tokio::test]
async fn a_store_directory_below_a_file_is_not_writable() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = EmbeddedServer::builder()
        .store_dir(file.join("store"))
        .start()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), EmbeddedErrorKind::StoreNotWritable);
    assert!(
        error.to_string().contains(file.to_str().unwrap()),
        "{error}"
    );
}

#[tokio::test]
async fn a_store_whose_inside_is_unusable_is_found_in_the_log() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("jetstream"), "").unwrap();
    let error = EmbeddedServer::builder()
        .store_dir(dir.path())
        .start()
        .await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), EmbeddedErrorKind::StoreNotWritable, "{error}");
}

#[tokio::test]
async fn a_refused_configuration_is_its_own_kind_of_error() {
    let builder = EmbeddedServer::builder().extra_config("nonsense_key: 1");
    let error = builder.start().await.unwrap_err();
    assert_eq!(error.kind(), EmbeddedErrorKind::InvalidConfig, "{error}");
    assert!(error.to_string().contains("nonsense_key"), "{error}");
}

#[tokio::test]
async fn a_missing_binary_is_told_with_its_reason() {
    let lookup = naq_embedded::Lookup {
        nats_server: Some("/nowhere/nats-server".into()),
        ..naq_embedded::Lookup::default()
    };
    let error = EmbeddedServer::builder().lookup(lookup).start().await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), EmbeddedErrorKind::NoServer);
    assert_eq!(
        error.lookup().unwrap().kind(),
        LookupErrorKind::ExplicitMissing
    );
    assert!(
        error.to_string().contains("/nowhere/nats-server"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_ready_in_time_is_killed() {
    let builder = EmbeddedServer::builder().start_deadline(Duration::ZERO);
    let error = builder.start().await.unwrap_err();
    assert_eq!(error.kind(), EmbeddedErrorKind::NotReady, "{error}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_server_with_users_is_ready_after_its_handshake() {
    let users = "authorization { user: u, password: p }";
    let server = EmbeddedServer::builder().extra_config(users).start().await;
    let server = server.unwrap();
    assert_eq!(server.status().phase, Phase::Running);
    server.stop().await.unwrap();
}
