//! `lame_duck`: a node of two sends its clients away while 64 tasks make requests. Requests that
//! failed.

use std::time::Duration;

use tokio::time::sleep;

use super::duck::Pond;
use super::requests::{Load, lease, shared};
use crate::Outcome;
use crate::progress::Progress;
use crate::raw;
use crate::report::{NAQ, RAW, Row};
use crate::rounds::Rounds;

pub(super) async fn row(progress: &Progress) -> Outcome<Row> {
    progress.say("lame_duck: starting two nodes");
    let pond = Pond::start().await?;
    let rounds = under_load(&pond, progress).await;
    pond.stop().await?;
    Ok(Row::absolute("lame_duck", "failed requests", rounds?, 0.0))
}

async fn under_load(pond: &Pond, progress: &Progress) -> Outcome<Rounds> {
    let client = raw::connect(&pond.leaving().url()).await?;
    let leases = Load::start(&pond.service, lease);
    let clients = Load::start(&client, shared);
    sleep(Duration::from_millis(500)).await;
    progress.say("lame_duck: one node sends its clients away");
    pond.leave().await?;
    let mut rounds = Rounds::default();
    rounds.record(NAQ, leases.end().await.failed);
    rounds.record(RAW, clients.end().await.failed);
    Ok(rounds)
}
