//! Many callers and clients when the server is gone, dies, or comes back.

use std::time::{Duration, Instant};

use naq_config::settings::NatsSettings;
use naq_connection::ConnectionService;
use naq_testing::FaultProxy;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::server::TestServer;
use crate::{behind_a_proxy, settings, setup, until};

const OUTAGE: Duration = Duration::from_secs(2);

/// Dials of a client until the pauses between them are at their longest: they double from 10 ms.
const TRIES: usize = 7;

/// Dials that so many callers cause in an outage, each asking again as soon as it is refused.
async fn dials_of(callers: usize) -> usize {
    let proxy = FaultProxy::to("127.0.0.1:1");
    proxy.refuse();
    let service = ConnectionService::new(settings(&proxy.url()));
    let mut tasks = JoinSet::new();
    let end = Instant::now() + OUTAGE;
    for _ in 0..callers {
        let service = service.clone();
        tasks.spawn(async move {
            while Instant::now() < end {
                service.connection().await.unwrap_err();
                // The pace of a caller that tries again at once, and lets the others on.
                sleep(Duration::from_millis(1)).await;
            }
        });
    }
    tasks.join_all().await;
    proxy.taken()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_of_a_dead_server_dial_no_more_than_one_caller() {
    let (of_one, of_many) = tokio::join!(dials_of(1), dials_of(1000));
    // Pauses are random, hence the room; a dial a caller would be thousands.
    assert!(
        (1..=3 * of_one + 10).contains(&of_many),
        "{of_many} dials of 1000 callers, {of_one} of one"
    );
}

#[tokio::test]
async fn a_thousand_leases_on_a_dead_server_are_one_client_that_tries() {
    let (_server, service, proxy) = behind_a_proxy().await;
    let mut leases = Vec::new();
    for _ in 0..1000 {
        leases.push(service.connection().await.unwrap());
    }
    proxy.refuse();
    proxy.cut();
    let until = Instant::now() + Duration::from_secs(1);
    let mut calls = 0;
    while Instant::now() < until {
        for lease in &leases {
            let limit = Duration::from_millis(1);
            calls += usize::from(lease.flush_confirmed_within(limit).await.is_err());
        }
    }
    // Pauses grow from 10 ms: some dozens of attempts in a second, whatever the number of calls.
    let attempts = proxy.taken();
    assert!(attempts <= 150 && calls > attempts, "{attempts} of {calls}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_under_two_kills_all_succeed_in_the_end_or_fail_with_a_reason_to_retry() {
    const TASKS: usize = 32;
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let service = service.clone();
        tasks.spawn(async move {
            let mut failed = 0;
            // Until this client was connected three times: both kills fell into the load.
            while service.state_of("default").unwrap().epoch < 3 {
                while let Err(error) = operation(&service).await {
                    assert!(error.is_transient(), "{error}");
                    failed += 1;
                }
            }
            failed
        });
    }
    for epoch in 2..=3 {
        server.kill().await;
        server.restart().await;
        until("it is connected again", async || {
            let state = connection.state();
            state.is_connected() && state.epoch >= epoch
        })
        .await;
    }
    let failed = tasks.join_all().await;
    assert!(failed.iter().sum::<usize>() > 0, "the kills hit nothing");
    drop(connection);
    assert_eq!(service.leases(), 0);
    operation(&service).await.unwrap();
    assert_eq!(server.connections().await.len(), 1);
}

async fn operation(service: &ConnectionService) -> Result<(), naq_connection::ConnectionError> {
    let connection = service.connection().await?;
    connection.publish("storm", "x").await?;
    connection.flush_confirmed().await
}

/// The largest part of the clients that came back within the same 10 ms.
async fn herd(services: &[ConnectionService], proxy: &FaultProxy) -> f64 {
    proxy.refuse();
    proxy.cut();
    let all = |connected: bool| {
        let is = move |service: &ConnectionService| {
            service.state_of("default").unwrap().is_connected() == connected
        };
        services.iter().all(is)
    };
    until("all are down", async || all(false)).await;
    let tries = proxy.taken() + services.len() * TRIES;
    until("their pauses have grown", async || proxy.taken() >= tries).await;
    let opened = Instant::now();
    proxy.accept();
    until("all are back", async || all(true)).await;
    let arrivals = proxy.arrivals();
    let late: Vec<_> = arrivals.iter().filter(|at| **at >= opened).collect();
    let within = |from: &Instant| {
        let bin = *from..*from + Duration::from_millis(10);
        late.iter().filter(|at| bin.contains(**at)).count()
    };
    let most = late.iter().map(|from| within(from)).max().unwrap();
    most as f64 / services.len() as f64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_clients_do_not_come_back_as_a_herd() {
    let server = TestServer::start().await;
    let proxy = FaultProxy::to(&server.url());
    let mut services = Vec::new();
    for _ in 0..200 {
        let service = ConnectionService::new(NatsSettings {
            reconnect_time_wait: Duration::from_millis(500),
            ..settings(&proxy.url())
        });
        drop(service.connection().await.unwrap());
        services.push(service);
    }
    // A machine that stands still for a moment makes a herd of anybody: one quiet outage will do.
    // Without jitter it is a herd each time.
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(herd(&services, &proxy).await);
        if seen.last().is_some_and(|most| *most <= 0.25) {
            return;
        }
    }
    panic!("parts of the clients that came at once: {seen:?}");
}
