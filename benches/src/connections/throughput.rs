//! `publish_flush_64` and `round_trip_64`: 64 tasks, and for each operation a lease of its own.
//! Operations a second; the ratio is ours over that of one bare client which all share.
//!
//! A flush is the client's: the socket has taken the bytes. A round trip is to the server and back.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use bytes::Bytes;
use naq_connection::{Connection, ConnectionService};

use crate::Outcome;
use crate::args::Options;
use crate::load::{Operation, pace};
use crate::peers::{self, Bb8, Deadpool};
use crate::progress::Progress;
use crate::raw;
use crate::report::{NAQ, RAW, Row, Target};
use crate::rig::Rig;
use crate::rounds::Rounds;

const POOL: u32 = 16;
/// Slices of ours and of the bare client in each round.
const PAIRS: usize = 8;
const PAYLOAD: Bytes = Bytes::from_static(b"0123456789abcdef");

#[derive(Debug, Clone, Copy)]
pub(super) enum Work {
    PublishFlush,
    RoundTrip,
}

impl Work {
    async fn on(self, client: &Client) -> Outcome<()> {
        match self {
            Self::PublishFlush => {
                client.publish(raw::NOBODY, PAYLOAD).await?;
                Ok(client.flush().await?)
            }
            Self::RoundTrip => raw::round_trip(client).await,
        }
    }

    async fn through(self, connection: &Connection) -> Outcome<()> {
        match self {
            Self::PublishFlush => {
                connection.publish(raw::NOBODY, PAYLOAD).await?;
                Ok(connection.client().flush().await?)
            }
            Self::RoundTrip => Ok(connection.flush_confirmed().await?),
        }
    }
}

/// Where an operation gets its connection from.
#[derive(Clone)]
enum Source {
    Lease(ConnectionService),
    /// A lease per operation, and then the client's own calls: what taking the lease costs.
    LeaseOnly(ConnectionService),
    /// One lease for all: what our calls cost.
    Held(Arc<Connection>),
    Shared(Client),
    Fresh(String),
    Deadpool(Deadpool),
    Bb8(Bb8),
}

#[derive(Clone)]
struct Variant {
    work: Work,
    source: Source,
}

impl Operation for Variant {
    async fn once(&self) -> Outcome<()> {
        match &self.source {
            Source::Lease(service) => self.work.through(&service.connection().await?).await,
            Source::LeaseOnly(service) => {
                let connection = service.connection().await?;
                self.work.on(connection.client()).await
            }
            Source::Held(connection) => self.work.through(connection).await,
            Source::Shared(client) => self.work.on(client).await,
            Source::Fresh(url) => self.work.on(&raw::connect(url).await?).await,
            Source::Deadpool(pool) => {
                let client = pool.get().await.map_err(|error| error.to_string())?;
                self.work.on(&client).await
            }
            Source::Bb8(pool) => {
                let client = pool.get().await.map_err(|error| format!("{error:?}"))?;
                self.work.on(&client).await
            }
        }
    }
}

fn cpu(name: &str) -> String {
    format!("{name}, ns of CPU")
}

/// Adds a slice of one variant: operations a second, and what one costs.
async fn measure(
    work: Work,
    name: &str,
    source: &Source,
    span: Duration,
    rounds: &mut Rounds,
) -> Outcome<()> {
    let source = source.clone();
    let pace = pace(&Variant { work, source }, span).await?;
    rounds.record(name, pace.per_second);
    rounds.record(&cpu(name), pace.cpu);
    Ok(())
}

/// What is shown besides the two that the target is about.
async fn others(service: &ConnectionService, rig: &Rig) -> Outcome<[(&'static str, Source); 6]> {
    Ok([
        ("lease, bare calls", Source::LeaseOnly(service.clone())),
        ("its client, bare calls", {
            let lease = service.connection().await?;
            Source::Shared(lease.client().clone())
        }),
        (
            "one lease held",
            Source::Held(Arc::new(service.connection().await?)),
        ),
        ("deadpool 16", {
            Source::Deadpool(peers::deadpool(&rig.url(), usize::try_from(POOL)?).await?)
        }),
        ("bb8 16", Source::Bb8(peers::bb8(&rig.url(), POOL).await?)),
        ("connect per operation", Source::Fresh(rig.url())),
    ])
}

pub(super) async fn row(
    work: Work,
    rig: &Rig,
    options: &Options,
    progress: &Progress,
) -> Outcome<Row> {
    let (name, target) = match work {
        Work::PublishFlush => ("publish_flush_64", 0.85),
        Work::RoundTrip => ("round_trip_64", 0.95),
    };
    let service = rig.service();
    let theirs = (RAW, Source::Shared(raw::connect(&rig.url()).await?));
    let ours = (NAQ, Source::Lease(service.clone()));
    let variants = others(&service, rig).await?;
    let mut rounds = Rounds::default();
    for round in 1..=options.rounds {
        progress.say(format!("{name}: round {round} of {}", options.rounds));
        // Each begins a round in turn: who comes first finds another machine than who comes last.
        let first = usize::try_from(round)? % variants.len();
        let (later, sooner) = variants.split_at(first);
        for (name, source) in sooner.iter().chain(later) {
            measure(work, name, source, options.slice(), &mut rounds).await?;
        }
        // The two that the target is about, close together and often.
        for turn in 0..PAIRS {
            let mut pair = [&ours, &theirs];
            pair.rotate_left(turn % 2);
            for (name, source) in pair {
                measure(work, name, source, options.slice() / 4, &mut rounds).await?;
            }
        }
    }
    drop((variants, ours, theirs));
    let by_cpu = rounds.ratio(&cpu(RAW), &cpu(NAQ));
    rounds.record("ratio by CPU time", by_cpu);
    service.shutdown(Duration::from_secs(5)).await;
    rig.until_idle().await?;
    Ok(Row {
        name,
        unit: "ops/s",
        raw: rounds.median(RAW),
        naq: rounds.median(NAQ),
        ratio: rounds.ratio(NAQ, RAW),
        target: Target::AtLeast(target),
        series: rounds.into_series(),
    })
}
