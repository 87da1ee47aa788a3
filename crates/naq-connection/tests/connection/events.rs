//! What a service tells of its connections.

use std::time::Duration;

use naq_connection::{
    ConnectionService, DEFAULT_PROFILE, Event, EventKind, Events, Lane, Missed, Phase,
    ReplaceReason,
};
use tokio::time::timeout;

use crate::server::TestServer;
use crate::{SOON, settings, setup};

async fn next(events: &mut Events) -> Event {
    timeout(SOON, events.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn the_life_of_a_connection_is_told_in_order() {
    let (server, service) = setup().await;
    let mut events = service.events();
    let connection = service.connection().await.unwrap();
    let first = next(&mut events).await;
    assert!(matches!(first.kind, EventKind::Connected), "{first:?}");
    assert_eq!(
        (&*first.profile, first.lane, first.epoch),
        (DEFAULT_PROFILE, Lane::Control, 1)
    );
    server.restart().await;
    let lost = next(&mut events).await;
    assert!(matches!(lost.kind, EventKind::Disconnected), "{lost:?}");
    let back = next(&mut events).await;
    let EventKind::Reconnected { down_for } = back.kind else {
        panic!("{back:?}")
    };
    assert!(down_for > Duration::ZERO);
    assert_eq!((lost.epoch, back.epoch), (1, 2));
    drop(connection);
    service.rotate(DEFAULT_PROFILE).await.unwrap();
    let replaced = next(&mut events).await;
    let reason = ReplaceReason::Rotation;
    assert!(matches!(replaced.kind, EventKind::Replaced { reason: r } if r == reason));
    assert_eq!(replaced.epoch, 3);
    let closed = next(&mut events).await;
    assert!(matches!(closed.kind, EventKind::Closed), "{closed:?}");
    assert_eq!(closed.epoch, 2, "it is the old one");
    service.shutdown(SOON).await;
    let closed = next(&mut events).await;
    assert!(matches!(closed.kind, EventKind::Closed), "{closed:?}");
    assert_eq!(closed.epoch, 3);
    drop(service);
    assert!(timeout(SOON, events.next()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_dial_that_fails_is_told_once() {
    let service = ConnectionService::new(settings("nats://127.0.0.1:1"));
    let mut events = service.events();
    let calls = (0..100).map(|_| service.connection());
    let outcomes = futures::future::join_all(calls).await;
    assert!(outcomes.iter().all(Result::is_err));
    let failed = next(&mut events).await;
    assert!(matches!(failed.kind, EventKind::DialFailed { .. }));
    let more = timeout(Duration::from_millis(50), events.next()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test]
async fn a_slow_listener_learns_how_many_it_missed_and_goes_on() {
    let (_server, service) = setup().await;
    drop(service.connection().await.unwrap());
    let (mut slow, mut quick) = (service.events(), service.events());
    let mut told = 0_u64;
    while told < 1030 {
        // Two events: one connection is there, one is closed.
        service.rotate(DEFAULT_PROFILE).await.unwrap();
        next(&mut quick).await;
        next(&mut quick).await;
        told += 2;
    }
    let missed = timeout(SOON, slow.next()).await.unwrap().unwrap();
    assert_eq!(missed.unwrap_err(), Missed(told - 1024));
    for _ in 0..1024 {
        next(&mut slow).await;
    }
    assert!(timeout(Duration::ZERO, slow.next()).await.is_err());
}

#[tokio::test]
async fn slow_subscriptions_and_errors_of_the_server_are_told() {
    let config = "authorization { users: [{ user: a, password: b, \
                  permissions: { publish: { deny: \"forbidden\" } } }] }";
    let server = TestServer::start_with(config).await;
    let url = server.url().replace("://", "://a:b@");
    let service = ConnectionService::new(settings(&url));
    let mut events = service.events();
    let connection = service.connection().await.unwrap();
    next(&mut events).await;
    connection.publish("forbidden", "").await.unwrap();
    let refused = next(&mut events).await;
    let EventKind::ServerError { text } = refused.kind else {
        panic!("{refused:?}")
    };
    assert!(text.contains("forbidden"), "{text}");
    // The client keeps 65536 messages for a subscription that does not read.
    let _lazy = connection.subscribe("flood").await.unwrap();
    for _ in 0..66_000 {
        connection.publish("flood", "").await.unwrap();
    }
    let dropped = next(&mut events).await;
    assert!(
        matches!(dropped.kind, EventKind::SlowConsumer { .. }),
        "{dropped:?}"
    );
}

#[tokio::test]
async fn the_watch_of_a_profile_goes_on_when_its_connection_is_replaced() {
    let (server, service) = setup().await;
    let mut states = service.watch_state(DEFAULT_PROFILE).unwrap();
    assert_eq!(states.borrow().phase, Phase::Idle);
    drop(service.connection().await.unwrap());
    service.rotate(DEFAULT_PROFILE).await.unwrap();
    assert_eq!(states.borrow_and_update().epoch, 2);
    server.restart().await;
    let back = states.wait_for(|s| s.is_connected() && s.epoch >= 3);
    timeout(SOON, back).await.unwrap().unwrap();
    service.shutdown(SOON).await;
    let end = *states.borrow();
    assert_eq!(end.phase, Phase::Closed);
}
