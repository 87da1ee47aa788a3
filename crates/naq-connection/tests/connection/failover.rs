//! From one server to another, and back to one that was away.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use async_nats::jetstream::stream;
use naq_config::Secret;
use naq_config::settings::NatsSettings;
use naq_connection::{
    ConnectionErrorKind, ConnectionService, Credentials, DEFAULT_PROFILE, StartMode,
};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::time::{Instant, timeout};

use crate::server::TestServer;
use crate::{SOON, settings, setup, until};

#[tokio::test]
async fn a_lease_goes_on_at_another_server_when_its_own_is_killed() {
    let servers = [TestServer::start().await, TestServer::start().await];
    let service = ConnectionService::new(NatsSettings {
        servers: servers.iter().map(TestServer::url).collect(),
        ..NatsSettings::default()
    });
    let connection = service.connection().await.unwrap();
    let first = servers[0].connections().await.len();
    let (dies, lives) = if first == 1 {
        (&servers[0], &servers[1])
    } else {
        (&servers[1], &servers[0])
    };
    let mut states = connection.states();
    dies.kill().await;
    let start = Instant::now();
    timeout(SOON, states.wait_for(|s| s.epoch == 2))
        .await
        .unwrap()
        .unwrap();
    println!("moved after {:?}", start.elapsed());
    connection.flush_confirmed().await.unwrap();
    assert_eq!(lives.connections().await.len(), 1);
}

#[tokio::test]
async fn attempts_are_never_further_apart_than_the_configured_wait() {
    let (server, _) = setup().await;
    let wait = Duration::from_millis(100);
    let service = ConnectionService::new(NatsSettings {
        reconnect_time_wait: wait,
        ..settings(&server.url())
    });
    let _connection = service.connection().await.unwrap();
    server.kill().await;
    // It takes the place of the server and hangs up on everybody.
    let listener = TcpListener::bind(("127.0.0.1", server.port()))
        .await
        .unwrap();
    let mut pauses = Vec::new();
    drop(listener.accept().await.unwrap());
    for _ in 0..20 {
        let start = Instant::now();
        drop(timeout(SOON, listener.accept()).await.unwrap().unwrap());
        pauses.push(start.elapsed());
    }
    pauses.sort();
    println!("{pauses:?}");
    // By chance between nothing and the wait, so half of it on average.
    assert!(pauses[10] < wait + Duration::from_millis(50), "{pauses:?}");
    let total: Duration = pauses.iter().sum();
    assert!(total > wait * 3, "{pauses:?}");
}

#[tokio::test]
async fn a_jetstream_context_works_after_a_restart_without_a_new_service() {
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let config = stream::Config {
        name: "kept".to_owned(),
        ..stream::Config::default()
    };
    let streams = connection.jetstream();
    streams.create_stream(config).await.unwrap();
    let mut states = connection.states();
    server.restart().await;
    timeout(SOON, states.wait_for(|s| s.epoch == 2))
        .await
        .unwrap()
        .unwrap();
    until("JetStream is up", async || {
        streams.get_stream("kept").await.is_ok()
    })
    .await;
    let later = service.connection().await.unwrap();
    later.jetstream().get_stream("kept").await.unwrap();
}

/// A runtime in which a name look-up waits for whatever else occupies its one blocking thread.
fn one_lookup_at_a_time() -> tokio::runtime::Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

fn by_name(server: &TestServer) -> NatsSettings {
    NatsSettings {
        connection_timeout: Duration::from_millis(300),
        reconnect_time_wait: Duration::from_millis(20),
        ..settings(&server.url().replace("127.0.0.1", "localhost"))
    }
}

#[test]
fn a_name_look_up_that_hangs_is_an_attempt_like_others() {
    one_lookup_at_a_time().block_on(async {
        let (server, _) = setup().await;
        let service = ConnectionService::new(by_name(&server));
        let connection = service.connection().await.unwrap();
        let mut states = connection.states();
        let (release, released) = mpsc::channel::<()>();
        let blocked = tokio::task::spawn_blocking(move || released.recv());
        server.restart().await;
        let more = states.wait_for(
            |s| matches!(s.phase, naq_connection::Phase::Reconnecting { attempts } if attempts > 2),
        );
        timeout(SOON, more).await.unwrap().unwrap();
        drop(release);
        blocked.await.unwrap().unwrap_err();
        let back = states.wait_for(|s| s.is_connected() && s.epoch == 2);
        timeout(SOON, back).await.unwrap().unwrap();
        connection.flush_confirmed().await.unwrap();
    });
}

#[test]
fn a_client_that_hangs_in_its_own_look_up_is_given_up_and_the_next_lease_has_a_new_one() {
    one_lookup_at_a_time().block_on(async {
        let server = TestServer::start_with("authorization { token: t }").await;
        // After ours and before the client's own.
        let trap: Arc<Mutex<Option<mpsc::Receiver<()>>>> = Arc::default();
        let armed = Arc::clone(&trap);
        let provider = move || {
            if let Some(released) = armed.lock().unwrap().take() {
                drop(tokio::task::spawn_blocking(move || released.recv()));
            }
            std::future::ready(Ok::<_, std::io::Error>(Credentials::Token(Secret::new(
                "t",
            ))))
        };
        let service = ConnectionService::builder()
            .profile(DEFAULT_PROFILE, by_name(&server))
            .credentials(DEFAULT_PROFILE, provider)
            .start(StartMode::FailFast)
            .await
            .unwrap();
        let connection = service.connection().await.unwrap();
        let mut states = connection.states();
        let (release, released) = mpsc::channel();
        *trap.lock().unwrap() = Some(released);
        server.restart().await;
        let end = states.wait_for(|s| s.is_terminal());
        timeout(SOON * 2, end).await.unwrap().unwrap();
        let error = service.connection().await.unwrap_err();
        assert_eq!(*error.kind(), ConnectionErrorKind::ConnectTimedOut);
        drop(release);
        until("a new client", async || service.connection().await.is_ok()).await;
    });
}
