//! Lanes: a second connection for large payloads, made at its first use.

use std::time::Duration;

use naq_connection::{ConnectionErrorKind, Lane, Operation};

use crate::{PROMPT, SOON, setup};

#[tokio::test]
async fn the_bulk_lane_is_one_more_connection_and_only_when_it_is_used() {
    let (server, service) = setup().await;
    let control = service.acquire().await.unwrap();
    assert_eq!(server.connections().await.len(), 1);

    let first = service.acquire().lane(Lane::Bulk).await.unwrap();
    let second = service.acquire().lane(Lane::Bulk).await.unwrap();
    let names: Vec<_> = server
        .connections()
        .await
        .iter()
        .map(|client| client["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.contains(&"naq-client".to_owned()), "{names:?}");
    assert!(names.contains(&"naq-client (bulk)".to_owned()), "{names:?}");

    drop((control, first, second));
    let report = service.shutdown(SOON).await;
    assert_eq!(report.connections_closed, 2);
    crate::until("the server has noticed", async || {
        server.connections().await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn an_acquire_ends_at_its_time_limit() {
    // Takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", silent.local_addr().unwrap());
    let service = naq_connection::ConnectionService::new(crate::settings(&url));
    let start = std::time::Instant::now();
    let limit = Duration::from_millis(200);
    let error = service.acquire().timeout(limit).await.unwrap_err();
    let operation = Operation::Start;
    assert_eq!(*error.kind(), ConnectionErrorKind::Deadline { operation });
    assert!((limit..PROMPT).contains(&start.elapsed()));
}
