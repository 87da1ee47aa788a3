//! `recovery_200`: 200 clients lose their server. Seconds from the moment its port is open again
//! until 99 of 100 are back.

use std::time::{Duration, Instant};

use naq_connection::ConnectionService;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::Outcome;
use crate::args::Options;
use crate::progress::Progress;
use crate::raw;
use crate::report::{NAQ, RAW, Row};
use crate::rig::Rig;
use crate::rounds::Rounds;
use crate::stats::percentile;

const CLIENTS: usize = 200;

/// The bare client waits up to 4 s between its attempts.
const PATIENCE: Duration = Duration::from_secs(60);

type Returns = JoinSet<Outcome<Instant>>;

pub(super) async fn row(rig: &Rig, options: &Options, progress: &Progress) -> Outcome<Row> {
    let down = Duration::from_secs(if options.quick { 3 } else { 10 });
    let mut rounds = Rounds::default();
    progress.say(format!("recovery_200: leases, server down for {down:?}"));
    let (services, returns) = leases(rig).await?;
    rounds.record(NAQ, outage(rig, down, returns).await?);
    let closing = services.iter().map(|s| s.shutdown(Duration::from_secs(5)));
    futures::future::join_all(closing).await;
    drop(services);

    progress.say(format!(
        "recovery_200: bare clients, server down for {down:?}"
    ));
    let (clients, returns) = clients(rig).await?;
    rounds.record(RAW, outage(rig, down, returns).await?);
    drop(clients);
    rig.until_idle().await?;
    Ok(Row::absolute("recovery_200", "s", rounds, 0.5))
}

/// Services, and tasks that wait for each to be back.
async fn leases(rig: &Rig) -> Outcome<(Vec<ConnectionService>, Returns)> {
    let (mut services, mut returns) = (Vec::new(), JoinSet::new());
    for _ in 0..CLIENTS {
        let service = rig.service();
        let connection = service.connection().await?;
        let epoch = connection.state().epoch;
        returns.spawn(async move {
            let mut states = connection.states();
            states
                .wait_for(|state| state.epoch > epoch && state.is_connected())
                .await?;
            Ok(Instant::now())
        });
        services.push(service);
    }
    Ok((services, returns))
}

/// As [`leases`], of bare clients.
async fn clients(rig: &Rig) -> Outcome<(Vec<async_nats::Client>, Returns)> {
    let (mut clients, mut returns) = (Vec::new(), JoinSet::new());
    for _ in 0..CLIENTS {
        let (client, mut connected) = raw::watched(&rig.url()).await?;
        returns.spawn(async move {
            let back = connected.recv().await;
            back.ok_or_else(|| "a client has ended".into())
        });
        clients.push(client);
    }
    Ok((clients, returns))
}

/// Seconds until 99 of 100 are back, counted from the moment the port is open.
async fn outage(rig: &Rig, down: Duration, mut returns: Returns) -> Outcome<f64> {
    rig.server.kill().await?;
    sleep(down).await;
    let (started, opened) = tokio::join!(rig.server.start_again(), open(rig.server.port()));
    started?;
    let mut took = Vec::new();
    while let Some(back) = timeout(PATIENCE, returns.join_next()).await? {
        took.push(back??.saturating_duration_since(opened).as_secs_f64());
    }
    Ok(percentile(&took, 0.99))
}

async fn open(port: u16) -> Instant {
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        sleep(Duration::from_millis(1)).await;
    }
    Instant::now()
}
