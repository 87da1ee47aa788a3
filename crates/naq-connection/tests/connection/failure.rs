//! Servers that refuse or do not answer.

use std::time::Duration;

use naq_config::Secret;
use naq_config::settings::{Auth, NatsSettings};
use naq_connection::{ConnectionErrorKind, ConnectionService, StartMode};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use crate::server::TestServer;
use crate::{SOON, once_below, settings, until};

const GUARDED: &str = "authorization { user: alice, password: s3cret }";

fn login(server: &TestServer, password: &str) -> NatsSettings {
    NatsSettings {
        auth: Auth {
            username: Some("alice".to_owned()),
            password: Some(Secret::new(password)),
            ..Auth::default()
        },
        ..settings(&server.url())
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_at_once_and_not_tried_again() {
    let server = TestServer::start_with(GUARDED).await;
    let start = ConnectionService::builder()
        .profile("default", login(&server, "wr0ng"))
        .start(StartMode::WaitUntil(Duration::from_secs(60)));
    let error = timeout(SOON, start).await.unwrap().unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::AuthFailed);
    assert!(!error.is_transient());
    assert!(!format!("{error} {error:?}").contains("wr0ng"));
    until("the server closed it", async || {
        server.connections().await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn credentials_work_from_the_settings_and_from_the_url() {
    let server = TestServer::start_with(GUARDED).await;
    let by_url = settings(&server.url().replace("://", "://alice:s3cret@"));
    for settings in [login(&server, "s3cret"), by_url] {
        let service = ConnectionService::new(settings);
        service
            .connection()
            .await
            .unwrap()
            .flush_confirmed()
            .await
            .unwrap();
    }
    let server = TestServer::start_with("authorization { token: t0ken }").await;
    let service = ConnectionService::new(settings(&server.url().replace("://", "://t0ken@")));
    service
        .connection()
        .await
        .unwrap()
        .flush_confirmed()
        .await
        .unwrap();
}

#[tokio::test]
async fn credentials_are_used_again_after_a_restart() {
    let server = TestServer::start_with(GUARDED).await;
    let service = ConnectionService::new(login(&server, "s3cret"));
    let connection = service.connection().await.unwrap();
    server.restart().await;
    let mut states = connection.states();
    timeout(SOON, states.wait_for(|s| s.epoch == 2))
        .await
        .unwrap()
        .unwrap();
    connection.flush_confirmed().await.unwrap();
}

#[tokio::test]
async fn a_port_that_never_answers_fails_at_the_connection_timeout() {
    once_below(Duration::from_millis(900), dial_of_a_silent_port).await;
}

/// What a dial takes that was given 300 ms.
async fn dial_of_a_silent_port() -> Duration {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    let limit = Duration::from_millis(300);
    let service = ConnectionService::new(NatsSettings {
        // Three servers share the one deadline.
        servers: vec![url.clone(), url.clone(), url],
        connection_timeout: limit,
        ..NatsSettings::default()
    });
    let started = Instant::now();
    let error = service.connection().await.unwrap_err();
    let took = started.elapsed();
    assert_eq!(*error.kind(), ConnectionErrorKind::ConnectTimedOut);
    assert!(error.is_transient());
    assert!(took >= limit, "{took:?}");
    took
}

#[tokio::test]
async fn a_dead_server_beside_a_live_one_does_not_matter() {
    let server = TestServer::start().await;
    for _ in 0..8 {
        let mut settings = settings("nats://127.0.0.1:1");
        settings.servers.push(server.url());
        settings.servers.push("nats://127.0.0.1:2".to_owned());
        let service = ConnectionService::new(settings);
        service.connection().await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_goes_to_the_other_server_when_its_own_is_killed() {
    let servers = [TestServer::start().await, TestServer::start().await];
    let service = ConnectionService::new(NatsSettings {
        servers: servers.iter().map(TestServer::url).collect(),
        client_name: "failover".to_owned(),
        ..NatsSettings::default()
    });
    let connection = service.connection().await.unwrap();
    let port = connection.server_info().port;
    let (own, other) = match servers[0].port() == port {
        true => (&servers[0], &servers[1]),
        false => (&servers[1], &servers[0]),
    };
    own.kill().await;
    let mut states = connection.states();
    let moved = states.wait_for(|state| state.epoch == 2);
    timeout(SOON, moved).await.unwrap().unwrap();
    connection.flush_confirmed().await.unwrap();
    assert_eq!(other.connections().await[0]["name"], "failover");
}

#[tokio::test]
async fn a_silent_server_leaves_time_for_the_live_one_beside_it() {
    let server = TestServer::start().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // The first server is chosen at random.
    for _ in 0..8 {
        let mut settings = settings(&format!("nats://{}", silent.local_addr().unwrap()));
        settings.servers.push(server.url());
        settings.connection_timeout = Duration::from_millis(400);
        let service = ConnectionService::new(settings);
        service.connection().await.unwrap();
    }
}

#[tokio::test]
async fn refused_credentials_are_not_hidden_by_a_dead_server() {
    let server = TestServer::start_with(GUARDED).await;
    for _ in 0..8 {
        let mut settings = login(&server, "wr0ng");
        settings.servers.push("nats://127.0.0.1:1".to_owned());
        let error = ConnectionService::new(settings)
            .connection()
            .await
            .unwrap_err();
        assert_eq!(*error.kind(), ConnectionErrorKind::AuthFailed);
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_before_any_dial() {
    let start = |settings| {
        let builder = ConnectionService::builder().profile("default", settings);
        builder.start(StartMode::Lazy)
    };
    let mut both = settings("nats://localhost");
    both.auth.token = Some(Secret::new("t"));
    both.auth.username = Some("u".to_owned());
    for settings in [settings("ftp://localhost"), settings(""), both] {
        let error = start(settings).await.unwrap_err();
        assert_eq!(*error.kind(), ConnectionErrorKind::InvalidSettings);
    }
}
