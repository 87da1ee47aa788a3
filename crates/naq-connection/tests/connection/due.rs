//! Connections that are replaced because of their age or their use.

use std::time::Duration;

use futures::FutureExt;
use naq_config::settings::NatsSettings;
use naq_connection::{Connection, ConnectionService, EventKind, Events, ReplaceReason};
use tokio::time::{Instant, timeout};

use crate::{SOON, settings, setup, until};

async fn replaced(events: &mut Events) -> ReplaceReason {
    let replaced = async {
        loop {
            let event = events.next().await.unwrap().unwrap();
            if let EventKind::Replaced { reason } = event.kind {
                return reason;
            }
        }
    };
    timeout(SOON, replaced).await.unwrap()
}

#[tokio::test]
async fn a_connection_that_is_old_enough_is_replaced() {
    let (server, _) = setup().await;
    let lifetime = Duration::from_millis(500);
    let service = ConnectionService::new(NatsSettings {
        max_lifetime: Some(lifetime),
        ..settings(&server.url())
    });
    let mut events = service.events();
    let start = Instant::now();
    drop(service.connection().await.unwrap());
    assert_eq!(replaced(&mut events).await, ReplaceReason::Lifetime);
    assert!(start.elapsed() >= lifetime.mul_f64(0.9));
    assert_eq!(replaced(&mut events).await, ReplaceReason::Lifetime);
    until("the old ones are closed", async || {
        server.connections().await.len() == 1
    })
    .await;
}

/// One poll sends it; then its caller is gone.
fn abandon(connection: &Connection) {
    let request = connection.request_within("silent", Default::default(), "", SOON);
    assert!(request.now_or_never().is_none());
}

#[tokio::test]
async fn a_client_that_has_collected_abandoned_requests_is_replaced() {
    let (server, service) = setup().await;
    let silent = ConnectionService::new(settings(&server.url()));
    let listener = silent.connection().await.unwrap();
    let _ignored = listener.subscribe("silent").await.unwrap();
    listener.flush_confirmed().await.unwrap();
    let mut events = service.events();
    let connection = service.connection().await.unwrap();
    for nth in 0..9_998 {
        abandon(&connection);
        if nth % 50 == 0 {
            // The client takes them, and this task may poll more.
            connection.flush_confirmed().await.unwrap();
        }
    }
    // A flush asks as well.
    assert!(connection.flush_confirmed().now_or_never().is_none());
    server.has_connected(2).await;
    abandon(&connection);
    assert_eq!(
        replaced(&mut events).await,
        ReplaceReason::AbandonedRequests
    );
    assert_eq!(service.metrics().abandoned_requests, 10_000);
}
