//! `cold_start_1000`: a thousand tasks want a connection at the same moment, and none is there.
//! Connections made, as the server counts them.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::Outcome;
use crate::args::Options;
use crate::progress::Progress;
use crate::raw;
use crate::report::{NAQ, RAW, Row};
use crate::rig::Rig;
use crate::rounds::Rounds;

const TASKS: usize = 1000;

/// A thousand connections at once are for the bare client a burden, and always as many.
const MOST_ROUNDS: u32 = 3;

pub(super) async fn row(rig: &Rig, options: &Options, progress: &Progress) -> Outcome<Row> {
    let mut rounds = Rounds::default();
    let count = if options.quick { 1 } else { MOST_ROUNDS };
    for round in 1..=count.min(options.rounds) {
        progress.say(format!("cold_start_1000: round {round}"));
        let before = rig.connects().await?;
        with_leases(rig).await?;
        let between = rig.connects().await?;
        rounds.record(NAQ, between - before);
        with_clients(rig).await?;
        rounds.record(RAW, rig.connects().await? - between);
        rig.until_idle().await?;
    }
    Ok(Row::absolute("cold_start_1000", "connections", rounds, 1.0))
}

async fn with_leases(rig: &Rig) -> Outcome<()> {
    let service = rig.service();
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let service = service.clone();
        tasks.spawn(async move { service.connection().await });
    }
    let leases = tasks.join_all().await;
    drop(leases.into_iter().collect::<Result<Vec<_>, _>>()?);
    service.shutdown(Duration::from_secs(5)).await;
    Ok(())
}

async fn with_clients(rig: &Rig) -> Outcome<()> {
    let url = rig.url();
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let url = url.clone();
        tasks.spawn(async move { raw::connect(&url).await });
    }
    let clients = tasks.join_all().await;
    drop(clients.into_iter().collect::<Result<Vec<_>, _>>()?);
    Ok(())
}
