//! `lame_duck`: a node of two sends its clients away while 64 tasks make requests. Requests that
//! failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_nats::Client;
use futures::StreamExt;
use naq_connection::ConnectionService;
use naq_embedded::EmbeddedCluster;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::Outcome;
use crate::load::TASKS;
use crate::progress::Progress;
use crate::raw;
use crate::report::{NAQ, RAW, Row};
use crate::rig::settings;
use crate::rounds::Rounds;

const LIMIT: Duration = Duration::from_secs(1);
const SUBJECT: &str = "bench.echo";

/// The server refuses less than 30 s in all; with few clients it ends long before.
const SHORT: &str = "lame_duck_duration: \"30s\"\nlame_duck_grace_period: \"1s\"\n";
const END: Duration = Duration::from_secs(60);

pub(super) async fn row(progress: &Progress) -> Outcome<Row> {
    progress.say("lame_duck: starting two nodes");
    let cluster = EmbeddedCluster::start_with(2, |_, node| node.extra_config(SHORT)).await?;
    let rounds = under_load(&cluster, progress).await;
    cluster.stop().await?;
    Ok(Row::absolute("lame_duck", "failed requests", rounds?, 0.0))
}

async fn under_load(cluster: &EmbeddedCluster, progress: &Progress) -> Outcome<Rounds> {
    let service = ConnectionService::new(settings(cluster.urls()));
    let ours = service.connection().await?.server_info().server_name;
    let leaving = usize::from(cluster.node(1).name() == ours);
    let (leaving, staying) = (cluster.node(leaving), cluster.node(1 - leaving));
    let client = raw::connect(&leaving.url()).await?;
    let mut answering = JoinSet::new();
    answering.spawn(answer(raw::connect(&staying.url()).await?));
    until_answered(&client).await?;

    let stop = Arc::new(AtomicBool::new(false));
    let leases = Load::start(&stop, &service, lease);
    let clients = Load::start(&stop, &client, shared);
    sleep(Duration::from_millis(500)).await;
    progress.say("lame_duck: one node sends its clients away");
    leaving.lame_duck().await?;
    let deadline = Instant::now() + END;
    while leaving.is_running() {
        if Instant::now() > deadline {
            return Err(format!("the node has not ended within {END:?}").into());
        }
        sleep(Duration::from_millis(50)).await;
    }
    // What was asked at the end has its time too.
    sleep(LIMIT).await;
    stop.store(true, Ordering::Relaxed);
    let mut rounds = Rounds::default();
    rounds.record(NAQ, leases.failed().await);
    rounds.record(RAW, clients.failed().await);
    drop(client);
    service.shutdown(Duration::from_secs(5)).await;
    answering.shutdown().await;
    Ok(rounds)
}

async fn answer(client: Client) -> Outcome<()> {
    let mut questions = client.subscribe(SUBJECT).await?;
    while let Some(question) = questions.next().await {
        if let Some(reply) = question.reply {
            client.publish(reply, question.payload).await?;
        }
    }
    Ok(())
}

async fn until_answered(client: &Client) -> Outcome<()> {
    let asking = async {
        while client.request(SUBJECT, "?".into()).await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    Ok(timeout(Duration::from_secs(10), asking).await?)
}

async fn lease(service: ConnectionService) -> bool {
    let request = async {
        let connection = service.connection().await.ok()?;
        connection.request(SUBJECT, "?").await.ok()
    };
    matches!(timeout(LIMIT, request).await, Ok(Some(_)))
}

async fn shared(client: Client) -> bool {
    let request = client.request(SUBJECT, "?".into());
    matches!(timeout(LIMIT, request).await, Ok(Ok(_)))
}

/// Tasks that repeat a request and count those that fail.
struct Load {
    tasks: JoinSet<()>,
    failed: Arc<AtomicU32>,
}

impl Load {
    fn start<C, F>(stop: &Arc<AtomicBool>, on: &C, request: fn(C) -> F) -> Self
    where
        C: Clone + Send + Sync + 'static,
        F: Future<Output = bool> + Send + 'static,
    {
        let (mut tasks, failed) = (JoinSet::new(), Arc::new(AtomicU32::new(0)));
        for _ in 0..TASKS {
            let (on, stop, failed) = (on.clone(), Arc::clone(stop), Arc::clone(&failed));
            tasks.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    if !request(on.clone()).await {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        Self { tasks, failed }
    }

    async fn failed(self) -> f64 {
        self.tasks.join_all().await;
        f64::from(self.failed.load(Ordering::Relaxed))
    }
}
