//! `cold_connect`: from nothing to a connection that can be used. Microseconds; the ratio is that
//! of a handshake by hand over ours.
//!
//! In a task, as a service connects: outside of one each wait is a wake-up of another thread. The
//! bare client is there twice; without the millisecond that it sleeps at first it is the least that
//! any connection made with it can cost.

use std::time::{Duration, Instant};

use async_nats::Client;
use naq_connection::ConnectionService;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::args::Options;
use crate::progress::Progress;
use crate::raw;
use crate::report::{NAQ, RAW, Row, Target};
use crate::rig::{Rig, settings};
use crate::rounds::Rounds;
use crate::stats::median;

const BY_HAND: &str = "handshake by hand";
const AT_ONCE: &str = "raw client, at once";

/// What a round takes of each.
#[derive(Default)]
struct Samples {
    by_hand: Vec<f64>,
    ours: Vec<f64>,
    client: Vec<f64>,
    at_once: Vec<f64>,
}

pub(super) async fn row(rig: &Rig, options: &Options, progress: &Progress) -> Outcome<Row> {
    let (turns, count) = if options.quick { (1, 20) } else { (4, 25) };
    let mut rounds = Rounds::default();
    for round in 1..=options.rounds * turns {
        progress.say(format!(
            "cold_connect: round {round} of {}",
            options.rounds * turns
        ));
        let (url, port) = (rig.url(), rig.server.port());
        let mut task = JoinSet::new();
        task.spawn(async move { sample(count, &url, port).await });
        let samples = task.join_next().await.ok_or("no task")???;
        rounds.record(BY_HAND, median(&samples.by_hand));
        rounds.record(NAQ, median(&samples.ours));
        rounds.record(AT_ONCE, median(&samples.at_once));
        rounds.record(RAW, median(&samples.client));
    }
    rig.until_idle().await?;
    Ok(Row {
        name: "cold_connect",
        unit: "µs",
        raw: rounds.median(BY_HAND),
        naq: rounds.median(NAQ),
        ratio: rounds.ratio(BY_HAND, NAQ),
        target: Target::AtLeast(0.83),
        series: rounds.into_series(),
    })
}

/// Each after those of its own kind: the server still has to do with the end of the one before, on
/// the same processors.
async fn sample(count: usize, url: &str, port: u16) -> Outcome<Samples> {
    let mut samples = Samples::default();
    for _ in 0..count {
        samples.by_hand.push(raw::handshake(port).await?);
    }
    for _ in 0..count {
        samples.ours.push(lease(url).await?);
    }
    for _ in 0..count {
        samples
            .at_once
            .push(client(raw::connect_at_once(url)).await?);
    }
    for _ in 0..count {
        samples.client.push(client(raw::connect(url)).await?);
    }
    Ok(samples)
}

async fn lease(url: &str) -> Outcome<f64> {
    let start = Instant::now();
    let service = ConnectionService::new(settings(vec![url.to_owned()]));
    let connection = service.connection().await?;
    let took = start.elapsed();
    drop(connection);
    service.shutdown(Duration::from_secs(5)).await;
    Ok(took.as_secs_f64() * 1e6)
}

async fn client(connect: impl Future<Output = Outcome<Client>>) -> Outcome<f64> {
    let start = Instant::now();
    let client = connect.await?;
    let took = start.elapsed();
    client.drain().await?;
    Ok(took.as_secs_f64() * 1e6)
}
