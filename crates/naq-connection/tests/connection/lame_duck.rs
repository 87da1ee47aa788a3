//! A server that is about to shut down.

use std::time::Duration;

use naq_config::settings::NatsSettings;
use naq_connection::{ConnectionService, EventKind, ReplaceReason};
use naq_embedded::{EmbeddedCluster, EmbeddedServer};
use tokio::time::timeout;

use crate::requests::Load;
use crate::{SOON, settings, until};

/// The server closes its clients a second after it has told them, then ends.
const GRACE: &str = "lame_duck_grace_period: \"1s\"\nlame_duck_duration: \"30s\"";

async fn clients(server: &EmbeddedServer) -> usize {
    let connz = server.monitor("/connz").await.unwrap();
    let clients = connz["connections"].as_array().unwrap();
    clients.iter().filter(|c| c["lang"] == "rust").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_is_left_for_another_and_no_request_fails() {
    let cluster = EmbeddedCluster::start_with(2, |_, builder| builder.extra_config(GRACE))
        .await
        .unwrap();
    // It knows only the server that goes; of the other one the cluster has told it.
    let (going, staying) = (cluster.node(0), cluster.node(1));
    let service = ConnectionService::new(NatsSettings {
        drain_timeout: Duration::from_millis(300),
        ..settings(&going.url())
    });
    let responder = ConnectionService::new(settings(&staying.url()));
    let mut events = service.events();
    let load = Load::start(&service, responder.connection().await.unwrap()).await;
    let held = service.connection().await.unwrap();
    let mut news = held.subscribe("news").await.unwrap();
    held.flush_confirmed().await.unwrap();
    going.lame_duck().await.unwrap();
    let replaced = async {
        loop {
            let event = events.next().await.unwrap().unwrap();
            if let EventKind::Replaced { reason } = event.kind {
                return reason;
            }
        }
    };
    let reason = timeout(SOON, replaced).await.unwrap();
    assert_eq!(reason, ReplaceReason::LameDuck);
    until("nobody is left on it", async || clients(going).await == 0).await;
    until("the lease that stays out has moved", async || {
        clients(staying).await == 3
    })
    .await;
    until("the server has ended", async || !going.is_running()).await;
    load.some_more().await;
    held.flush_confirmed().await.unwrap();
    service
        .connection()
        .await
        .unwrap()
        .publish("news", "1")
        .await
        .unwrap();
    let message = timeout(SOON, news.next()).await.unwrap().unwrap();
    assert_eq!(message.payload, "1");
    let outcome = load.stop().await;
    println!("{} requests, worst {:?}", outcome.done, outcome.worst);
    assert!(outcome.failed.is_empty(), "{outcome:?}");
    assert!(outcome.worst < Duration::from_secs(1), "{outcome:?}");
    cluster.stop().await.unwrap();
}
