//! Links on which nothing comes in any more.

use std::pin::pin;
use std::time::Duration;

use naq_config::settings::NatsSettings;
use naq_connection::{
    Connection, ConnectionErrorKind, ConnectionService, DEFAULT_PROFILE, EventKind, Phase,
};
use tokio::time::{Instant, timeout};

use crate::proxy::Proxy;
use crate::server::TestServer;
use crate::{SOON, once_below, settings, setup, until};

/// Longer than any stall here takes to be noticed.
const LONG: Duration = Duration::from_secs(60);

async fn behind_a_proxy(stall_timeout: Duration) -> (TestServer, Proxy, ConnectionService) {
    let (server, _) = setup().await;
    let proxy = Proxy::start(server.port()).await;
    let service = ConnectionService::new(NatsSettings {
        stall_timeout,
        ..settings(&proxy.url())
    });
    (server, proxy, service)
}

/// Waits until the connection is back in another epoch; the time that it took.
async fn restored(connection: &Connection, epoch: u64) -> Duration {
    let (start, mut states) = (Instant::now(), connection.states());
    let back = states.wait_for(|s| s.is_connected() && s.epoch > epoch);
    timeout(LONG, back).await.unwrap().unwrap();
    start.elapsed()
}

#[tokio::test]
async fn a_request_into_a_black_hole_ends_within_the_default_of_three_seconds() {
    once_below(Duration::from_secs(4), request_into_a_black_hole).await;
}

/// From the stall to the end of the request.
async fn request_into_a_black_hole() -> Duration {
    let limit = NatsSettings::default().stall_timeout;
    assert_eq!(limit, Duration::from_secs(3));
    let (_server, proxy, service) = behind_a_proxy(limit).await;
    let connection = service.connection().await.unwrap();
    let mut events = service.events();
    let mut news = connection.subscribe("news").await.unwrap();
    connection.flush_confirmed().await.unwrap();
    proxy.stall();
    let start = Instant::now();
    let request = connection.request_within("a", Default::default(), "", LONG);
    let error = timeout(LONG, request).await.unwrap().unwrap_err();
    let took = start.elapsed();
    assert!(matches!(
        error.kind(),
        ConnectionErrorKind::ConnectionLost { .. }
    ));
    let event = timeout(SOON, events.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(matches!(event.kind, EventKind::Stalled), "{event:?}");
    // The same lease is on a new socket, with its subscription.
    restored(&connection, 1).await;
    connection.publish("news", "1").await.unwrap();
    let message = timeout(SOON, news.next()).await.unwrap().unwrap();
    assert_eq!(message.payload, "1");
    assert_eq!(proxy.accepted(), 2);
    took
}

#[tokio::test]
async fn publishes_into_a_black_hole_are_noticed_too() {
    let limit = Duration::from_millis(600);
    let (_server, proxy, service) = behind_a_proxy(limit).await;
    let connection = service.connection().await.unwrap();
    connection.flush_confirmed().await.unwrap();
    proxy.stall();
    let publishing = async {
        loop {
            connection.publish("a", "b").await.unwrap();
            // A pace: the link is in use all the time until the verdict.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = publishing => {}
        took = restored(&connection, 1) => println!("restored after {took:?}"),
    }
    connection.flush_confirmed().await.unwrap_err();
    connection.flush_confirmed().await.unwrap();
}

#[tokio::test]
async fn a_client_that_can_not_even_write_is_given_up_and_the_next_lease_has_a_new_one() {
    let limit = Duration::from_millis(600);
    let (_server, proxy, service) = behind_a_proxy(limit).await;
    let connection = service.connection().await.unwrap();
    connection.flush_confirmed().await.unwrap();
    let mut states = connection.states();
    proxy.stall();
    // More than all buffers on the way take.
    let payload = bytes::Bytes::from(vec![7; 512 * 1024]);
    let publishing = async {
        loop {
            let published =
                connection.publish_within("a", Default::default(), payload.clone(), LONG);
            if published.await.is_err() {
                return std::future::pending::<()>().await;
            }
        }
    };
    let start = Instant::now();
    let end = tokio::select! {
        () = publishing => unreachable!(),
        end = timeout(LONG, states.wait_for(|s| s.is_terminal())) => *end.unwrap().unwrap(),
    };
    println!("given up after {:?}", start.elapsed());
    assert_eq!(end.phase, Phase::Closed);
    let error = connection.publish("a", "b").await.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::Closed);
    let next = service.connection().await.unwrap();
    next.flush_confirmed().await.unwrap();
    assert!(next.state().epoch > end.epoch);
}

#[tokio::test]
async fn an_idle_connection_is_not_asked_and_wakes_up_with_its_next_use() {
    let limit = Duration::from_millis(300);
    let (server, proxy, service) = behind_a_proxy(limit).await;
    let connection = service.connection().await.unwrap();
    connection.flush_confirmed().await.unwrap();
    // It is asked once after it was used; then it sleeps: nothing may be sent for a while.
    let mut before = server.in_msgs().await;
    until("nobody asks any more", async || {
        tokio::time::sleep(limit * 3).await;
        let now = server.in_msgs().await;
        std::mem::replace(&mut before, now) == now
    })
    .await;
    proxy.stall();
    let epoch = connection.state().epoch;
    let request = connection.request_within("a", Default::default(), "", LONG);
    let error = timeout(SOON, request).await.unwrap().unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::ConnectionLost { epoch });
    restored(&connection, epoch).await;
}

#[tokio::test]
async fn a_program_that_was_held_up_asks_again_and_sees_the_stall() {
    let limit = Duration::from_millis(300);
    let (_server, proxy, service) = behind_a_proxy(limit).await;
    let connection = service.connection().await.unwrap();
    connection.flush_confirmed().await.unwrap();
    proxy.stall();
    let epoch = connection.state().epoch;
    let mut request = pin!(connection.request_within("a", Default::default(), "", LONG));
    let mut outcome = None;
    for _ in 0..4 {
        // Long enough for a question to be asked; its answer is overdue after the pause.
        outcome = timeout(limit / 10, &mut request).await.ok();
        if outcome.is_some() {
            break;
        }
        // Time itself: the program is held up for so long.
        std::thread::sleep(limit);
    }
    let outcome = match outcome {
        Some(outcome) => outcome,
        None => timeout(SOON, request).await.unwrap(),
    };
    let error = outcome.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::ConnectionLost { epoch });
}

#[tokio::test]
async fn with_zero_a_stall_is_left_to_the_deadlines_of_calls() {
    let (_server, proxy, service) = behind_a_proxy(Duration::ZERO).await;
    let connection = service.connection().await.unwrap();
    connection.flush_confirmed().await.unwrap();
    proxy.stall();
    let limit = Duration::from_millis(500);
    let request = connection.request_within("a", Default::default(), "", limit);
    let error = request.await.unwrap_err();
    assert!(matches!(error.kind(), ConnectionErrorKind::Deadline { .. }));
    assert!(connection.state().is_connected());
}

#[tokio::test]
async fn a_frozen_server_is_left_after_the_configured_number_of_pings() {
    let (server, _) = setup().await;
    for (interval, outstanding) in [(Duration::from_millis(600), 2), (Duration::from_secs(1), 1)] {
        let service = ConnectionService::new(NatsSettings {
            ping_interval: interval,
            max_outstanding_pings: outstanding,
            stall_timeout: Duration::ZERO,
            ..settings(&server.url())
        });
        let due = interval * outstanding;
        once_below(due + Duration::from_secs(1), async || {
            let connection = service.connection().await.unwrap();
            connection.flush_confirmed().await.unwrap();
            server.pause().await;
            let (start, mut states) = (
                Instant::now(),
                service.watch_state(DEFAULT_PROFILE).unwrap(),
            );
            let lost = states.wait_for(|s| !s.is_connected());
            timeout(LONG, lost).await.unwrap().unwrap();
            let took = start.elapsed();
            println!("lost after {took:?}, due after {due:?}");
            assert!(took >= due.mul_f64(0.6), "{took:?}");
            server.restart().await;
            took
        })
        .await;
    }
}

#[tokio::test]
async fn a_silent_connection_is_pinged_within_the_interval() {
    let (log, _guard) = crate::records::Log::start();
    let (_server, service) = {
        let server = TestServer::start().await;
        let service = ConnectionService::new(NatsSettings {
            ping_interval: Duration::from_millis(300),
            stall_timeout: Duration::ZERO,
            ..settings(&server.url())
        });
        (server, service)
    };
    let connection = service.connection().await.unwrap();
    let start = Instant::now();
    let pongs = || log.lines("received PONG").len();
    let before = pongs();
    until("three answers", async || pongs() >= before + 3).await;
    println!("three pings in {:?}", start.elapsed());
    assert!(connection.state().is_connected());
    assert_eq!(connection.state().epoch, 1);
}
