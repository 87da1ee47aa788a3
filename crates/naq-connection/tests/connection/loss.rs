//! The connection drops.

use std::time::Duration;

use naq_connection::{Connection, ConnectionErrorKind, ConnectionService, Failure, Phase};
use tokio::time::{Instant, timeout};

use crate::server::TestServer;
use crate::{SOON, once_below, settings, setup, until};

async fn silent_responder(connection: &Connection) -> naq_connection::Subscription {
    let subscription = connection.subscribe("silent").await.unwrap();
    connection.flush_confirmed().await.unwrap();
    subscription
}

#[tokio::test]
async fn a_request_in_flight_fails_at_once_when_the_server_dies() {
    once_below(Duration::from_secs(1), lost_request).await;
}

/// From the death of the server to the failure of the request.
async fn lost_request() -> Duration {
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let mut responder = silent_responder(&connection).await;
    let epoch = connection.state().epoch;
    let request =
        connection.request_within("silent", Default::default(), "?", Duration::from_secs(60));
    let killer = async {
        responder.next().await.unwrap();
        server.kill().await;
        Instant::now()
    };
    let (outcome, killed) = timeout(SOON, async { tokio::join!(request, killer) })
        .await
        .unwrap();
    let took = killed.elapsed();
    let error = outcome.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::ConnectionLost { epoch });
    assert!(error.is_transient() && error.outcome_unknown());
    took
}

#[tokio::test]
async fn the_same_lease_works_again_after_a_restart_and_its_epoch_has_grown() {
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let mut subscription = connection.subscribe("news").await.unwrap();
    connection.flush_confirmed().await.unwrap();
    let before = connection.state();
    let mut states = connection.states();
    server.kill().await;
    let down = |state: &naq_connection::State| matches!(state.phase, Phase::Reconnecting { .. });
    timeout(SOON, states.wait_for(down)).await.unwrap().unwrap();
    server.restart().await;
    let up = *timeout(SOON, states.wait_for(|s| s.is_connected()))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(up.epoch, before.epoch + 1);
    connection.publish("news", "back").await.unwrap();
    connection.flush_confirmed().await.unwrap();
    let message = timeout(SOON, subscription.next()).await.unwrap().unwrap();
    assert_eq!(message.payload, "back");
    assert_eq!(server.connections().await.len(), 1);
}

#[tokio::test]
async fn a_request_while_the_server_is_down_was_not_sent_and_says_so() {
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    server.kill().await;
    let mut states = connection.states();
    timeout(SOON, states.wait_for(|s| !s.is_connected()))
        .await
        .unwrap()
        .unwrap();
    let limit = Duration::from_millis(100);
    let error = connection
        .request_within("a", Default::default(), "", limit)
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::NotConnected);
    assert!(error.is_transient() && !error.outcome_unknown());
}

#[tokio::test]
async fn publishes_to_a_dead_server_end_at_their_deadline() {
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    server.kill().await;
    let limit = Duration::from_millis(100);
    let publishing = async {
        loop {
            let published = connection.publish_within("a", Default::default(), "b", limit);
            if let Err(error) = published.await {
                return error;
            }
        }
    };
    let error = timeout(SOON, publishing).await.unwrap();
    assert!(
        matches!(error.kind(), ConnectionErrorKind::Deadline { .. }),
        "{error}"
    );
    assert!(!error.outcome_unknown());
}

#[tokio::test]
async fn exhausted_attempts_end_the_lease_and_the_next_acquire_tries_anew() {
    let server = TestServer::start().await;
    let service = ConnectionService::new(naq_config::settings::NatsSettings {
        max_reconnect_attempts: Some(3),
        ..settings(&server.url())
    });
    let connection = service.connection().await.unwrap();
    let mut states = connection.states();
    let mut subscription = connection.subscribe("a").await.unwrap();
    server.kill().await;
    let end = *timeout(SOON, states.wait_for(|s| s.is_terminal()))
        .await
        .unwrap()
        .unwrap();
    let reason = Failure::ReconnectsExhausted { attempts: 3 };
    assert_eq!(end.phase, Phase::Failed { reason });
    assert!(timeout(SOON, subscription.next()).await.unwrap().is_none());

    let exhausted = ConnectionErrorKind::ReconnectsExhausted;
    assert_eq!(
        *connection.publish("a", "b").await.unwrap_err().kind(),
        exhausted
    );
    assert_eq!(*service.connection().await.unwrap_err().kind(), exhausted);

    server.restart().await;
    until("a new client", async || service.connection().await.is_ok()).await;
    let new = service.connection().await.unwrap();
    assert!(new.state().epoch > end.epoch);
    assert!(
        connection.state().is_terminal(),
        "the old lease must not come back"
    );
}

#[tokio::test]
async fn a_service_that_nobody_holds_stops_reconnecting() {
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let mut states = connection.states();
    server.kill().await;
    timeout(SOON, states.wait_for(|s| !s.is_connected()))
        .await
        .unwrap()
        .unwrap();
    drop((service, connection));
    // The watch closes with the client's last owner; the task of the client ends with it.
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", server.port()))
        .await
        .unwrap();
    let mut late = 0;
    while timeout(Duration::from_secs(1), listener.accept())
        .await
        .is_ok()
    {
        late += 1;
    }
    assert!(late <= 1, "{late} attempts by a client without an owner");
    let tasks = tokio::runtime::Handle::current().metrics();
    until("no task is left", async || tasks.num_alive_tasks() == 0).await;
}
