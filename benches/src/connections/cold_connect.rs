//! `cold_connect`: from nothing to a connection that can be used. Microseconds; the ratio is that
//! of a handshake by hand over ours.

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::args::Options;
use crate::progress::Progress;
use crate::raw;
use crate::report::{NAQ, RAW, Row, Target};
use crate::rig::Rig;
use crate::rounds::Rounds;
use crate::stats::median;

const BY_HAND: &str = "handshake by hand";

pub(super) async fn row(rig: &Rig, options: &Options, progress: &Progress) -> Outcome<Row> {
    let samples = if options.quick { 20 } else { 100 };
    let mut rounds = Rounds::default();
    for round in 1..=options.rounds {
        progress.say(format!("cold_connect: round {round} of {}", options.rounds));
        let (mut by_hand, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..samples {
            by_hand.push(raw::handshake(rig.server.port()).await?);
            ours.push(lease(rig).await?);
            theirs.push(client(rig).await?);
        }
        rounds.record(BY_HAND, median(&by_hand));
        rounds.record(NAQ, median(&ours));
        rounds.record(RAW, median(&theirs));
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

async fn lease(rig: &Rig) -> Outcome<f64> {
    let start = Instant::now();
    let service = rig.service();
    let connection = service.connection().await?;
    let took = start.elapsed();
    drop(connection);
    service.shutdown(Duration::from_secs(5)).await;
    Ok(took.as_secs_f64() * 1e6)
}

async fn client(rig: &Rig) -> Outcome<f64> {
    let start = Instant::now();
    let client = raw::connect(&rig.url()).await?;
    let took = start.elapsed();
    client.drain().await?;
    Ok(took.as_secs_f64() * 1e6)
}
