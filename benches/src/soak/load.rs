//! Tasks that make scopes and leave them in every way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use naq_connection::{ConnectionError, ConnectionService};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::raw::NOBODY;

const TASKS: u64 = 16;
/// Between two scopes of a task: the soak is long, not hot.
const PAUSE: Duration = Duration::from_millis(2);
/// A call in a scope may take this long; the server is down at times.
const LIMIT: Duration = Duration::from_millis(250);

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) succeeded: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) cancelled: AtomicU64,
}

/// The running load.
pub(super) struct Load {
    tasks: JoinSet<()>,
    stop: Arc<AtomicBool>,
    pub(super) counts: Arc<Counts>,
}

impl Load {
    /// `patient`: no request is left before its reply.
    pub(super) fn start(service: &ConnectionService, patient: bool) -> Self {
        let mut load = Self {
            tasks: JoinSet::new(),
            stop: Arc::default(),
            counts: Arc::default(),
        };
        for first in 0..TASKS {
            let (service, stop) = (service.clone(), Arc::clone(&load.stop));
            let counts = Arc::clone(&load.counts);
            load.tasks.spawn(async move {
                let mut way = first;
                while !stop.load(Ordering::Relaxed) {
                    let counter = match timeout(LIMIT, scope(&service, way, patient)).await {
                        Ok(Ok(())) => &counts.succeeded,
                        Ok(Err(_)) => &counts.failed,
                        Err(_cancelled) => &counts.cancelled,
                    };
                    counter.fetch_add(1, Ordering::Relaxed);
                    way += 1;
                    sleep(PAUSE).await;
                }
            });
        }
        load
    }

    /// Lets every scope end.
    pub(super) async fn stop(self) -> Arc<Counts> {
        self.stop.store(true, Ordering::Relaxed);
        self.tasks.join_all().await;
        self.counts
    }
}

async fn scope(
    service: &ConnectionService,
    way: u64,
    patient: bool,
) -> Result<(), ConnectionError> {
    let connection = service.connection().await?;
    match way % 8 {
        0 => connection.flush_confirmed().await,
        1 => {
            let mut own = connection.subscribe(format!("soak.{way}")).await?;
            connection
                .publish(format!("soak.{way}"), "to myself")
                .await?;
            own.next().await;
            Ok(())
        }
        // An error, as long as nobody answers.
        2 => connection.request(NOBODY, "?").await.map(drop),
        // Left half-way: the reply never comes.
        3 if way % 64 == 3 && !patient => {
            let _silent = connection.subscribe("soak.silent").await?;
            connection.request("soak.silent", "?").await.map(drop)
        }
        _ => connection.publish("soak.plain", vec![7; 512]).await,
    }
}
