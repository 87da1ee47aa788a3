//! Requests and replies from many tasks, one lease per request, while something happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use naq_connection::{Connection, ConnectionError, ConnectionService};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::until;

const TASKS: usize = 64;

#[derive(Default)]
struct Counts {
    done: AtomicU64,
    worst_us: AtomicU64,
    over: AtomicBool,
}

pub(crate) struct Load {
    counts: Arc<Counts>,
    requesters: JoinSet<Vec<ConnectionError>>,
    _responder: JoinSet<()>,
}

#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) done: u64,
    pub(crate) worst: Duration,
    pub(crate) failed: Vec<ConnectionError>,
}

impl Load {
    /// Requests of `service`, answered through `responder`, which nothing happens to.
    pub(crate) async fn start(service: &ConnectionService, responder: Connection) -> Self {
        let mut requests = responder.subscribe("load").await.unwrap();
        responder.flush_confirmed().await.unwrap();
        let mut answering = JoinSet::new();
        answering.spawn(async move {
            while let Some(request) = requests.next().await {
                let reply = request.reply.unwrap();
                responder.publish(reply, "").await.unwrap();
            }
        });
        let counts = Arc::new(Counts::default());
        let mut requesters = JoinSet::new();
        for _ in 0..TASKS {
            requesters.spawn(requester(service.clone(), Arc::clone(&counts)));
        }
        let load = Self {
            counts,
            requesters,
            _responder: answering,
        };
        load.some_more().await;
        load
    }

    /// Waits until each task has done about ten more.
    pub(crate) async fn some_more(&self) {
        let done = || self.counts.done.load(Ordering::SeqCst);
        let target = done() + 10 * TASKS as u64;
        until("requests go on", async || done() >= target).await;
    }

    pub(crate) async fn stop(self) -> Outcome {
        self.counts.over.store(true, Ordering::SeqCst);
        let failed = self.requesters.join_all().await.into_iter().flatten();
        Outcome {
            failed: failed.collect(),
            done: self.counts.done.load(Ordering::SeqCst),
            worst: Duration::from_micros(self.counts.worst_us.load(Ordering::SeqCst)),
        }
    }
}

async fn requester(service: ConnectionService, counts: Arc<Counts>) -> Vec<ConnectionError> {
    let mut failed = Vec::new();
    while !counts.over.load(Ordering::SeqCst) {
        let start = Instant::now();
        let outcome = async { service.connection().await?.request("load", "").await };
        if let Err(error) = outcome.await {
            failed.push(error);
        }
        let took = u64::try_from(start.elapsed().as_micros()).unwrap();
        counts.worst_us.fetch_max(took, Ordering::SeqCst);
        counts.done.fetch_add(1, Ordering::SeqCst);
    }
    failed
}
