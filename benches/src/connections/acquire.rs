//! `acquire`: take and give back, from one task. Nanoseconds; the ratio is the best pool's over ours.

use std::time::{Duration, Instant};

use naq_connection::ConnectionService;

use crate::Outcome;
use crate::args::Options;
use crate::peers::{self, Bb8, Deadpool};
use crate::progress::Progress;
use crate::report::{NAQ, Row, Target};
use crate::rig::Rig;
use crate::rounds::Rounds;

const SIZES: [u32; 3] = [1, 4, 16];

/// Between two looks at the clock.
const BATCH: u32 = 1000;

pub(super) async fn row(rig: &Rig, options: &Options, progress: &Progress) -> Outcome<Row> {
    let service = rig.service();
    let mut pools = Vec::new();
    for size in SIZES {
        let deadpool = peers::deadpool(&rig.url(), usize::try_from(size)?).await?;
        pools.push((size, deadpool, peers::bb8(&rig.url(), size).await?));
    }
    let mut rounds = Rounds::default();
    for round in 1..=options.rounds {
        progress.say(format!("acquire: round {round} of {}", options.rounds));
        rounds.record(NAQ, leases(&service, options.slice()).await?);
        for (size, deadpool, bb8) in &pools {
            let name = format!("deadpool {size}");
            rounds.record(&name, of_deadpool(deadpool, options.slice()).await?);
            rounds.record(&format!("bb8 {size}"), of_bb8(bb8, options.slice()).await?);
        }
    }
    drop(pools);
    service.shutdown(Duration::from_secs(5)).await;
    rig.until_idle().await?;
    let best = rounds.least_other(NAQ).map(|series| series.name.clone());
    let best = best.ok_or("no pool has run")?;
    Ok(Row {
        name: "acquire",
        unit: "ns",
        raw: rounds.median(&best),
        naq: rounds.median(NAQ),
        ratio: rounds.ratio(&best, NAQ),
        target: Target::AtLeast(2.5),
        series: rounds.into_series(),
    })
}

async fn leases(service: &ConnectionService, span: Duration) -> Outcome<f64> {
    nanoseconds(span, async || {
        drop(service.connection().await?);
        Ok(())
    })
    .await
}

async fn of_deadpool(pool: &Deadpool, span: Duration) -> Outcome<f64> {
    nanoseconds(span, async || {
        pool.get().await.map(drop).map_err(|e| e.to_string().into())
    })
    .await
}

async fn of_bb8(pool: &Bb8, span: Duration) -> Outcome<f64> {
    nanoseconds(span, async || {
        pool.get()
            .await
            .map(drop)
            .map_err(|e| format!("{e:?}").into())
    })
    .await
}

async fn nanoseconds(span: Duration, once: impl AsyncFn() -> Outcome<()>) -> Outcome<f64> {
    let (start, mut count) = (Instant::now(), 0.0);
    loop {
        for _ in 0..BATCH {
            once().await?;
        }
        count += f64::from(BATCH);
        if start.elapsed() >= span {
            return Ok(start.elapsed().as_secs_f64() * 1e9 / count);
        }
        // So that the tasks of the clients run.
        tokio::task::yield_now().await;
    }
}
