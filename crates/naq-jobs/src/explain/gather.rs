//! Reads the facts. What cannot be read is named and left out: the rest may be telling enough.

use std::time::{Duration, SystemTime};

use naq_connection::Connection;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::facts::{Facts, Hold, WorkerFact};
use super::holders::{of_places, of_workers};
use super::{Explanation, reasons};
use crate::JobsError;
use crate::inspect::{
    Found, JobInfo, Sight, Whereabouts, WorkerInfo, consumer_of, info_of, instant, look,
    whereabouts, workers,
};
use crate::jobs::Jobs;
use crate::model::JobId;
use crate::parked::Why;
use crate::server::{Link, last_of, read_rfc3339};
use crate::wire::{Counted, Stage, WorkerStatus, headers, text};

/// What may be set for a queue or a kind; other fields are not asked for here.
#[derive(Deserialize)]
struct Setting {
    #[serde(default)]
    paused: Option<Paused>,
    #[serde(default)]
    max_running: Option<u32>,
    #[serde(default)]
    levels: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
struct Paused {
    #[serde(default)]
    since_ms: Option<u64>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    by: Option<String>,
}

impl Jobs {
    /// Why a job does not run: paused, limited, not due, nobody serves its queue, all are busy, ... or what became of it.
    ///
    /// ```no_run
    /// # async fn example(jobs: naq_jobs::Jobs) -> Result<(), Box<dyn std::error::Error>> {
    /// for reason in jobs.explain(&"invoice-17".parse()?).await?.reasons {
    ///     println!("{reason}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::Connection`] (a retry helps). What else cannot be read is named in the facts.
    pub async fn explain(&self, id: &JobId) -> Result<Explanation, JobsError> {
        explain(self.link(), id).await
    }
}

/// Reads the facts and says what follows.
async fn explain(link: &Link, id: &JobId) -> Result<Explanation, JobsError> {
    let conn = link.lease("explain a job").await?;
    let sight = look(&conn, link, id).await?;
    let info = info_of(&conn, link, id, &sight).await?;
    let mut facts = bare(&info, &sight);
    if !facts.status.is_ended() {
        surroundings(&conn, link, &sight, &mut facts).await;
    }
    Ok(Explanation {
        reasons: reasons(&facts),
        facts,
    })
}

fn bare(info: &JobInfo, sight: &Sight) -> Facts {
    let dead = sight.letter.as_ref();
    Facts {
        id: info.id.clone(),
        now: SystemTime::now(),
        status: info.status.clone(),
        queue: info.queue.clone(),
        kind: info.kind.clone(),
        is_booked: false,
        queue_hold: None,
        kind_hold: None,
        in_flight: (0, 0),
        limit: None,
        kind_holders: Vec::new(),
        comes_back: None,
        queue_limit: None,
        after: None,
        workers: Vec::new(),
        dead: dead.map(|letter| (letter.reason.clone(), letter.error.clone())),
        unread: Vec::new(),
    }
}

/// What has to do with a job that has not ended.
async fn surroundings(conn: &Connection, link: &Link, sight: &Sight, facts: &mut Facts) {
    let Whereabouts::Message(found) = whereabouts(sight) else {
        return;
    };
    let fields = found.stored.headers.as_ref();
    facts.is_booked = text(fields, headers::BOOKED).is_some();
    facts.after = text(fields, headers::AFTER).map(str::to_owned);
    let mut shown = Vec::new();
    match workers(conn, link).await {
        Ok(all) => {
            let (queue, kind) = (facts.queue.as_deref(), facts.kind.as_deref());
            facts.workers = serving(link, &all, queue, kind, facts.now);
            shown = all;
        }
        Err(_) => facts.unread.push("the workers".to_owned()),
    }
    match consumer_of(conn, link, found).await {
        Ok(Some(consumer)) => {
            let most = u64::try_from(consumer.config.max_ack_pending).unwrap_or(0);
            facts.in_flight = (consumer.num_ack_pending, most);
            if consumer.paused {
                facts.queue_hold = Some(Hold::default());
            }
        }
        Ok(None) => {}
        Err(_) => facts.unread.push("the consumer of its queue".to_owned()),
    }
    settings(conn, link, found, &shown, facts).await;
    facts.comes_back = found.stored.due();
    if let Some(key) = text(fields, headers::LIMIT_KEY) {
        let counted = Counted::Key(found.spot.queue.clone(), key.to_owned());
        let holders = of_places(conn, link, &counted, &shown).await;
        facts.limit = Some((key.to_owned(), holders));
    }
    if let (Stage::Parked(why), Some(kind)) = (&found.spot.stage, &facts.kind)
        && Why::is_kind_limit(why)
    {
        let counted = Counted::Kind(kind.clone());
        facts.kind_holders = of_places(conn, link, &counted, &shown).await;
    }
}

/// The workers among `all` that serve a queue.
pub(super) fn serving(
    link: &Link,
    all: &[WorkerInfo],
    queue: Option<&str>,
    kind: Option<&str>,
    now: SystemTime,
) -> Vec<WorkerFact> {
    // Two missed signs of life; the clocks of two hosts may differ by a second.
    let stale_after = link.settings().workers.heartbeat_interval * 2 + Duration::from_secs(1);
    let serves = |worker: &&WorkerInfo| {
        let queues = &worker.record.queues;
        queues.iter().any(|one| Some(one.as_str()) == queue)
    };
    let fact = |worker: &WorkerInfo| {
        let record = &worker.record;
        let seen = read_rfc3339(&worker.seen_at);
        let silent = seen.and_then(|seen| now.duration_since(seen).ok());
        let silent = silent.unwrap_or_default();
        let kind = kind.filter(|_| !record.kinds.is_empty());
        WorkerFact {
            id: record.worker_id.clone(),
            silent,
            is_stale: silent > stale_after,
            is_stopping: record.status == WorkerStatus::Stopping,
            knows_kind: kind.map(|kind| record.kinds.iter().any(|one| one == kind)),
            running: record.running.len(),
            slots: record.concurrency,
        }
    };
    all.iter().filter(serves).map(fact).collect()
}

/// What was set at run time. A server without that stream has nothing set.
async fn settings(
    conn: &Connection,
    link: &Link,
    found: &Found,
    shown: &[WorkerInfo],
    facts: &mut Facts,
) {
    let (names, queue) = (link.names(), &found.spot.queue);
    let stream = names.settings_stream();
    let read = async |subject: String| {
        let stored = last_of(conn, &stream, &subject).await.ok().flatten()?;
        serde_json::from_slice::<Setting>(&stored.payload).ok()
    };
    if let Some(setting) = read(names.queue_setting(queue)).await {
        if let Some(limit) = setting.max_running.filter(|limit| *limit > 0) {
            let holders = match setting.levels.is_empty() {
                true => of_workers(queue, shown),
                false => of_places(conn, link, &Counted::Queue(queue.clone()), shown).await,
            };
            facts.queue_limit = Some((limit, holders));
        }
        facts.queue_hold = hold(setting).or(facts.queue_hold.take());
    }
    if let Some(kind) = &facts.kind {
        facts.kind_hold = read(names.kind_setting(kind)).await.and_then(hold);
    }
}

fn hold(setting: Setting) -> Option<Hold> {
    let Paused {
        since_ms,
        reason,
        by,
    } = setting.paused?;
    let since = since_ms.and_then(instant);
    Some(Hold { since, reason, by })
}
