//! `shutdown_backlog`: 20 MB wait for a slow link when the program ends. Messages lost.

use std::time::Duration;

use bytes::Bytes;
use naq_connection::ConnectionService;
use naq_testing::FaultProxy;
use tokio::runtime::Builder;

use crate::Outcome;
use crate::args::Options;
use crate::progress::Progress;
use crate::raw;
use crate::report::{NAQ, RAW, Row};
use crate::rig::{Rig, settings};
use crate::rounds::Rounds;

const MESSAGES: u32 = 1000;
const SIZE: usize = 20_000;
/// The whole backlog takes half a second.
const BYTES_PER_SECOND: u64 = 40_000_000;
const SUBJECT: &str = "bench.backlog";
const LIMIT: Duration = Duration::from_secs(60);

pub(super) async fn row(rig: &Rig, options: &Options, progress: &Progress) -> Outcome<Row> {
    let mut rounds = Rounds::default();
    let payload = Bytes::from(vec![7; SIZE]);
    for round in 1..=options.rounds.min(if options.quick { 1 } else { 3 }) {
        progress.say(format!("shutdown_backlog: round {round}"));
        let before = rig.total("in_bytes").await?;
        program(slow_link(rig), payload.clone(), leased).await?;
        rounds.record(NAQ, lost(rig, before).await?);
        let before = rig.total("in_bytes").await?;
        program(slow_link(rig), payload.clone(), bare).await?;
        rounds.record(RAW, lost(rig, before).await?);
    }
    Ok(Row::absolute(
        "shutdown_backlog",
        "messages lost",
        rounds,
        0.0,
    ))
}

fn slow_link(rig: &Rig) -> FaultProxy {
    let proxy = FaultProxy::to(&rig.url());
    proxy.slow(BYTES_PER_SECOND, Duration::ZERO);
    proxy
}

/// Runs on a runtime of its own, which ends as soon as it is done: what is not sent by then is lost,
/// as at the end of a program.
async fn program<F>(link: FaultProxy, payload: Bytes, body: fn(String, Bytes) -> F) -> Outcome<()>
where
    F: Future<Output = Outcome<()>> + 'static,
{
    let url = link.url();
    let program = tokio::task::spawn_blocking(move || {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let outcome = runtime.block_on(body(url, payload));
        runtime.shutdown_background();
        outcome
    });
    program.await??;
    until_closed(&link).await
}

async fn leased(url: String, payload: Bytes) -> Outcome<()> {
    let service = ConnectionService::new(settings(vec![url]));
    let connection = service.connection().await?;
    for _ in 0..MESSAGES {
        connection.publish(SUBJECT, payload.clone()).await?;
    }
    drop(connection);
    service.shutdown(LIMIT).await;
    Ok(())
}

/// As one would with the bare client: drain, and let go.
async fn bare(url: String, payload: Bytes) -> Outcome<()> {
    let client = raw::connect(&url).await?;
    for _ in 0..MESSAGES {
        client.publish(SUBJECT, payload.clone()).await?;
    }
    Ok(client.drain().await?)
}

/// What the client has given to the link arrives.
async fn until_closed(link: &FaultProxy) -> Outcome<()> {
    let closed = async {
        while link.connections() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    Ok(tokio::time::timeout(LIMIT, closed).await?)
}

/// Messages of the backlog that the server has not got.
async fn lost(rig: &Rig, before: f64) -> Outcome<f64> {
    rig.until_idle().await?;
    let arrived = (rig.total("in_bytes").await? - before) / SIZE as f64;
    Ok(f64::from(MESSAGES) - arrived.floor())
}
