//! `moves`: 64 tasks make requests while the connection under them is replaced: by a rotation, by a
//! reload, because its server shuts down. Milliseconds that the slowest request of each took; one
//! that failed counts as a second. It runs only when it is asked for.

use std::time::Duration;

use naq_config::settings::NatsSettings;
use naq_connection::{ConnectionService, DEFAULT_PROFILE};
use tokio::time::sleep;

use super::duck::Pond;
use super::requests::{Load, lease};
use crate::Outcome;
use crate::args::Options;
use crate::progress::Progress;
use crate::report::{Row, Target};
use crate::rig::settings;
use crate::rounds::Rounds;

const MOST: f64 = 50.0;
/// Moves of one kind in one round, and the time around each.
const MOVES: u32 = 5;
const BETWEEN: Duration = Duration::from_millis(100);

/// What the machine does without any move.
const CALM: &str = "no move";
const ROTATION: &str = "rotation";
const RELOAD: &str = "reload";
const LAME_DUCK: &str = "lame duck";

pub(super) async fn row(options: &Options, progress: &Progress) -> Outcome<Row> {
    let mut rounds = Rounds::default();
    for round in 1..=options.rounds {
        progress.say(format!("moves: round {round} of {}", options.rounds));
        let pond = Pond::start().await?;
        let measured = measure(&pond, &mut rounds).await;
        pond.stop().await?;
        measured?;
    }
    let worst = |names: &[&str]| {
        let worst = names.iter().map(|name| rounds.most(name));
        worst.fold(0.0, f64::max)
    };
    let (calm, moved) = (worst(&[CALM]), worst(&[ROTATION, RELOAD, LAME_DUCK]));
    Ok(Row {
        name: "moves",
        unit: "ms, worst",
        raw: calm,
        naq: moved,
        ratio: moved,
        target: Target::AtMost(MOST),
        series: rounds.into_series(),
    })
}

async fn measure(pond: &Pond, rounds: &mut Rounds) -> Outcome<()> {
    let service = &pond.service;
    rounds.record(CALM, during(service, async |_| Ok(())).await?);
    let rotate = async |_| Ok(service.rotate(DEFAULT_PROFILE).await?);
    rounds.record(ROTATION, during(service, rotate).await?);
    // Under a name of its own each time, so that there is something to change; on the node that
    // leaves later.
    let reload = async |nth: u32| {
        let to = NatsSettings {
            client_name: format!("naq-bench {nth}"),
            ..settings(vec![pond.leaving().url()])
        };
        service.reload([(DEFAULT_PROFILE.to_owned(), to)]).await?;
        Ok(())
    };
    rounds.record(RELOAD, during(service, reload).await?);
    service
        .reload([(DEFAULT_PROFILE.to_owned(), settings(pond.urls()))])
        .await?;
    let load = Load::start(service, lease);
    sleep(BETWEEN).await;
    pond.leave().await?;
    rounds.record(LAME_DUCK, load.end().await.longest.as_secs_f64() * 1e3);
    Ok(())
}

/// The slowest request while `step` is made several times, in milliseconds.
async fn during(
    service: &ConnectionService,
    step: impl AsyncFn(u32) -> Outcome<()>,
) -> Outcome<f64> {
    let load = Load::start(service, lease);
    for nth in 0..MOVES {
        sleep(BETWEEN).await;
        step(nth).await?;
    }
    sleep(BETWEEN).await;
    Ok(load.end().await.longest.as_secs_f64() * 1e3)
}
