//! Leases that stay out for too long.

use std::time::Duration;

use naq_connection::{ConnectionService, Lane, StartMode, nats_connection};
use tokio::time::Instant;

use crate::records::Log;
use crate::server::TestServer;
use crate::{PROMPT, SOON, settings, setup, until};

async fn watched(threshold: Duration) -> (TestServer, ConnectionService) {
    let server = TestServer::start().await;
    let service = ConnectionService::builder()
        .profile("default", settings(&server.url()))
        .leak_threshold(threshold)
        .start(StartMode::Lazy)
        .await
        .unwrap();
    (server, service)
}

fn about_leases(log: &Log, level: &str) -> Vec<String> {
    let mut lines = log.ours(level);
    lines.retain(|line| line.contains("a lease"));
    lines
}

#[tokio::test]
async fn a_lease_that_stays_out_is_told_once_with_its_place_and_again_when_it_comes_back() {
    let (log, _guard) = Log::start();
    let threshold = Duration::from_millis(80);
    let (_server, service) = watched(threshold).await;
    let line = line!() + 1;
    let forgotten = service.connection().await.unwrap();
    until("it is told", async || {
        !about_leases(&log, "WARN").is_empty()
    })
    .await;
    // Others come and go, and nothing may happen for a while: the watcher looks several times meanwhile.
    let mut slow = 0;
    for _ in 0..5 {
        let taken = Instant::now();
        let brief = service.connection().await.unwrap();
        brief.flush_confirmed().await.unwrap();
        drop(brief);
        // A busy machine can make a lease of this one, too, that stays out.
        slow += usize::from(taken.elapsed() >= threshold);
        tokio::time::sleep(threshold / 2).await;
    }
    let all = about_leases(&log, "WARN");
    let place = format!("leaks.rs:{line}:");
    let (told, others): (Vec<_>, Vec<_>) = all.iter().partition(|l| l.contains(&place));
    assert!(told.len() == 1 && others.len() <= slow, "{all:#?}");
    assert!(told[0].contains("age="), "{told:#?}");
    let back = || {
        let mut lines = about_leases(&log, "INFO");
        lines.retain(|line| line.contains(&place));
        lines
    };
    assert!(back().is_empty());

    drop(forgotten);
    let back = back();
    assert!(
        back.len() == 1 && back[0].contains("came back"),
        "{back:#?}"
    );
}

#[tokio::test]
async fn leases_in_time_are_not_told() {
    let (log, _guard) = Log::start();
    let (_server, service) = watched(Duration::from_secs(60)).await;
    for _ in 0..100 {
        let lease = service.connection().await.unwrap();
        lease.flush_confirmed().await.unwrap();
    }
    service.shutdown(SOON).await;
    assert!(about_leases(&log, "WARN").is_empty());
    assert!(about_leases(&log, "INFO").is_empty());
}

#[tokio::test]
async fn each_way_to_a_lease_shows_the_place_of_its_caller() {
    let (_server, service) = setup().await;
    let first = line!() + 1;
    let plain = service.connection().await.unwrap();
    let named = service.connection_for("default").await.unwrap();
    let built = service.acquire().lane(Lane::Bulk).await.unwrap();
    let clone = plain.clone();
    let subscription = plain.subscribe("a").await.unwrap();
    let scope = nats_connection().on(&service).await.unwrap();
    let out = service.leases_out();
    let mut lines: Vec<_> = out.iter().map(|lease| lease.location.line()).collect();
    lines.sort_unstable();
    // The subscription counts as taken where its connection was.
    assert_eq!(
        lines,
        [first, first, first + 1, first + 2, first + 3, first + 5]
    );
    assert!(
        out.iter()
            .all(|lease| lease.location.file().ends_with("leaks.rs"))
    );
    assert!(
        out.iter()
            .all(|lease| &*lease.profile == "default" && lease.age < PROMPT)
    );
    let lanes = out.iter().filter(|lease| lease.lane == "bulk").count();
    assert_eq!((out.len(), lanes), (6, 1));
    drop((plain, named, built, clone, subscription, scope));
    assert!(service.leases_out().is_empty());
}

#[tokio::test]
async fn the_watcher_ends_with_its_service() {
    let tasks = tokio::runtime::Handle::current().metrics();
    let (_server, service) = watched(Duration::from_secs(60)).await;
    assert_eq!(tasks.num_alive_tasks(), 1);
    drop(service);
    until("no task is left", async || tasks.num_alive_tasks() == 0).await;

    let (_server, service) = watched(Duration::from_secs(60)).await;
    drop(service.connection().await.unwrap());
    service.shutdown(SOON).await;
    until("no task is left", async || tasks.num_alive_tasks() == 0).await;
}
