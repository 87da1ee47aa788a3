//! Requests from many tasks, and what became of them: how many failed, how long the slowest took.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_nats::Client;
use futures::StreamExt;
use naq_connection::ConnectionService;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::Outcome;
use crate::load::TASKS;

/// A request that takes longer has failed.
pub(super) const LIMIT: Duration = Duration::from_secs(1);
const SUBJECT: &str = "bench.echo";

/// Answers every request until it is dropped.
pub(super) async fn answer(client: Client) -> Outcome<()> {
    let mut questions = client.subscribe(SUBJECT).await?;
    while let Some(question) = questions.next().await {
        if let Some(reply) = question.reply {
            client.publish(reply, question.payload).await?;
        }
    }
    Ok(())
}

pub(super) async fn until_answered(client: &Client) -> Outcome<()> {
    let asking = async {
        while client.request(SUBJECT, "?".into()).await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    Ok(timeout(Duration::from_secs(10), asking).await?)
}

/// A request with a lease of its own.
pub(super) async fn lease(service: ConnectionService) -> bool {
    let request = async {
        let connection = service.connection().await.ok()?;
        connection.request(SUBJECT, "?").await.ok()
    };
    matches!(timeout(LIMIT, request).await, Ok(Some(_)))
}

/// A request on a client that all share.
pub(super) async fn shared(client: Client) -> bool {
    let request = client.request(SUBJECT, "?".into());
    matches!(timeout(LIMIT, request).await, Ok(Ok(_)))
}

/// Tasks that repeat a request.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Duration>,
    failed: Arc<AtomicU32>,
}

/// What became of them.
pub(super) struct Fates {
    pub(super) failed: f64,
    /// The slowest; one that failed counts as [`LIMIT`].
    pub(super) longest: Duration,
}

impl Load {
    pub(super) fn start<C, F>(on: &C, request: fn(C) -> F) -> Self
    where
        C: Clone + Send + Sync + 'static,
        F: Future<Output = bool> + Send + 'static,
    {
        let mut load = Self {
            stop: Arc::default(),
            tasks: JoinSet::new(),
            failed: Arc::default(),
        };
        for _ in 0..TASKS {
            let (on, stop) = (on.clone(), Arc::clone(&load.stop));
            let failed = Arc::clone(&load.failed);
            load.tasks.spawn(async move {
                let mut longest = Duration::ZERO;
                while !stop.load(Ordering::Relaxed) {
                    let start = Instant::now();
                    let took = match request(on.clone()).await {
                        true => start.elapsed(),
                        false => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            LIMIT
                        }
                    };
                    longest = longest.max(took);
                }
                longest
            });
        }
        load
    }

    pub(super) async fn end(self) -> Fates {
        self.stop.store(true, Ordering::Relaxed);
        let longest = self.tasks.join_all().await.into_iter().max();
        Fates {
            failed: f64::from(self.failed.load(Ordering::Relaxed)),
            longest: longest.unwrap_or_default(),
        }
    }
}
