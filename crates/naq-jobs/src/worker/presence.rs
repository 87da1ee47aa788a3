//! Shows the worker to others: a record that expires when the worker falls silent.

use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::runner::Runner;
use super::telling::{Signs, tell_worker};
use crate::events::EventType;
use crate::server::{purge, repair_streams};
use crate::wire::{WorkerConnection, WorkerRecord, WorkerStatus};
use crate::{JobsError, JobsErrorKind};

/// Time between two records; a busy worker writes at most this often.
const CHANGE: Duration = Duration::from_millis(500);

/// The longest that the first record may hold up the start.
const BEGIN: Duration = Duration::from_secs(1);

/// Keeps the record of one worker.
#[derive(Debug)]
pub(super) struct Presence {
    pub(super) runner: Arc<Runner>,
    pub(super) queues: Vec<String>,
    pub(super) kinds: Vec<String>,
    pub(super) started_at_ms: u64,
}

/// A record that was written, and when.
pub(super) type Shown = (WorkerRecord, Instant);

impl Presence {
    /// Writes the first record, so that a worker is seen before it has a job; `None` if that does not succeed at once.
    pub(super) async fn begin(&self) -> Option<Shown> {
        let now = self.record(false);
        match tokio::time::timeout(BEGIN, self.write(&now)).await {
            Ok(Ok(())) => Some((now, Instant::now())),
            _ => None,
        }
    }

    /// Writes the record on each change and at each heartbeat, until `gone`; then removes it. No failure here
    /// touches a job.
    pub(super) async fn keep(
        &self,
        mut shown: Option<Shown>,
        stopping: &CancellationToken,
        gone: &CancellationToken,
    ) {
        let beat = self.runner.link.settings().workers.heartbeat_interval;
        let link = &self.runner.link;
        tell_worker(link, &self.record(false), EventType::WorkerStarted, None);
        let mut signs = Signs::default();
        if let Some((first, _)) = &shown {
            signs.tell(link, first, beat);
        }
        let mut steered = self.runner.steering.watch();
        loop {
            steered.mark_unchanged();
            let now = self.record(stopping.is_cancelled());
            let is_old = shown
                .as_ref()
                .is_none_or(|(old, at)| *old != now || at.elapsed() >= beat);
            if !is_old {
                let at = shown.as_ref().map_or_else(Instant::now, |(_, at)| *at);
                let is_stopping = now.status == WorkerStatus::Stopping;
                tokio::select! {
                    () = gone.cancelled() => break,
                    () = tokio::time::sleep_until(at + beat) => {}
                    () = self.runner.holds.stirred() => {}
                    _ = steered.changed() => {}
                    () = stopping.cancelled(), if !is_stopping => {}
                }
                continue;
            }
            match self.write(&now).await {
                Ok(()) => {
                    signs.tell(link, &now, beat);
                    shown = Some((now, Instant::now()));
                }
                Err(error) => {
                    let text = error.to_string();
                    tell_worker(link, &now, EventType::WorkerError, Some(&text));
                    tracing::debug!(%error, "the worker could not show itself");
                    if error.kind() == JobsErrorKind::Unavailable {
                        drop(repair_streams(&self.runner.link).await);
                    }
                }
            }
            // Changes that come in quick succession are written as one.
            tokio::select! {
                () = gone.cancelled() => break,
                () = tokio::time::sleep(CHANGE.min(beat)) => {}
            }
        }
        tell_worker(link, &self.record(true), EventType::WorkerStopped, None);
        if let Err(error) = self.remove().await {
            tracing::debug!(%error, "the worker's record is left to expire");
        }
    }

    fn record(&self, is_stopping: bool) -> WorkerRecord {
        let (running, steered) = (self.runner.holds.running(), self.runner.steering.now());
        let status = match (is_stopping, running.is_empty()) {
            (true, _) => WorkerStatus::Stopping,
            (false, true) => WorkerStatus::Idle,
            (false, false) => WorkerStatus::Busy,
        };
        WorkerRecord {
            v: 1,
            worker_id: self.runner.worker.to_string(),
            hostname: hostname(),
            pid: std::process::id(),
            status,
            queues: self.queues.clone(),
            kinds: self.kinds.clone(),
            concurrency: steered.capacity,
            quiet: steered.is_quiet,
            connection: None,
            running,
            started_at_ms: self.started_at_ms,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    async fn write(&self, record: &WorkerRecord) -> Result<(), JobsError> {
        let context = "show the worker";
        let conn = self.runner.link.lease(context).await?;
        let failed = |e| JobsError::connection(context, e);
        let sent = Instant::now();
        conn.flush_confirmed().await.map_err(failed)?;
        // Not part of what is compared: it is another one each time.
        let record = WorkerRecord {
            connection: Some(WorkerConnection {
                server: conn.server_info().server_name.clone(),
                epoch: conn.state().epoch,
                rtt_us: u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX),
            }),
            ..record.clone()
        };
        let mut fields = HeaderMap::new();
        let ttl = self.runner.link.settings().workers.ttl.as_secs().max(1);
        fields.insert("Nats-TTL", format!("{ttl}s"));
        let body = serde_json::to_vec(&record).unwrap_or_default();
        let subject = self.runner.link.names().worker(&self.runner.worker);
        conn.publish_acked(subject, fields, body)
            .await
            .map(drop)
            .map_err(failed)
    }

    async fn remove(&self) -> Result<(), JobsError> {
        let conn = self.runner.link.lease("remove the worker's record").await?;
        let names = self.runner.link.names();
        purge(
            &conn,
            &names.workers_stream(),
            &names.worker(&self.runner.worker),
        )
        .await
        .map(drop)
    }
}

/// `<name>-<pid>-<random>`, or with the host for a name; fit for a subject.
pub(super) fn worker_id(name: Option<&str>) -> String {
    let name = name.map_or_else(|| format!("naq-worker-{}", hostname()), str::to_owned);
    let name: String = name
        .chars()
        .take(80)
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect();
    format!(
        "{name}-{}-{:06x}",
        std::process::id(),
        fastrand::u32(..1 << 24)
    )
}

/// The name of this host.
pub(super) fn hostname() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}
