//! What the server holds, read with patience.

use std::collections::{HashMap, HashSet};

use naq_jobs::{Jobs, Outcome};
use naq_testing::eventually;
use serde_json::Value;

use super::plan::MIX;
use super::round::surely;
use crate::setup::LONG;

/// What the server's JetStream API answers.
async fn ask(jobs: &Jobs, verb: &str, body: &str) -> Result<Value, String> {
    let conn = jobs.connections().connection().await;
    let conn = conn.map_err(|e| e.to_string())?;
    let answer = conn
        .request(format!("$JS.API.{verb}"), body.to_owned())
        .await;
    let answer = answer.map_err(|e| e.to_string())?;
    let value: Value = serde_json::from_slice(&answer.payload).map_err(|e| e.to_string())?;
    match value.get("error") {
        Some(error) => Err(error.to_string()),
        None => Ok(value),
    }
}

/// Waits until the streams and the consumer of `queue` have a leader that answers.
pub(super) async fn led(jobs: &Jobs, queue: &str) {
    eventually(LONG, async || {
        for stream in ["naq_jobs", "naq_results"] {
            ask(jobs, &format!("STREAM.INFO.{stream}"), "").await?;
        }
        let consumer = format!("CONSUMER.INFO.naq_jobs.naq-worker-{queue}");
        ask(jobs, &consumer, "").await.map(drop)
    })
    .await;
}

/// Outcomes that were ever stored: the sequence counts each one. Nobody has written to the barrier, or that is counted.
pub(super) async fn outcomes_ever(jobs: &Jobs) -> u64 {
    eventually(LONG, async || {
        let info = ask(jobs, "STREAM.INFO.naq_results", "").await?;
        info["state"]["last_seq"]
            .as_u64()
            .ok_or("no sequence".to_owned())
    })
    .await
}

/// Waits until no job is left anywhere, and no place is held.
pub(super) async fn nothing_left(jobs: &Jobs) {
    eventually(3 * LONG, async || {
        let held = |info: Value| {
            let subjects = info["state"]["subjects"].as_object().cloned();
            let subjects = subjects.unwrap_or_default();
            let names = subjects.into_iter().map(|(name, _)| name);
            let jobs = names.filter(|name| !name.contains(".flow."));
            jobs.take(10).collect::<Vec<_>>()
        };
        let left = held(ask(jobs, "STREAM.INFO.naq_jobs", r#"{"subjects_filter":">"}"#).await?);
        let places = r#"{"subjects_filter":"naq.slot.>"}"#;
        let places = held(ask(jobs, "STREAM.INFO.naq_limits", places).await?);
        if left.is_empty() && places.is_empty() {
            return Ok(());
        }
        let consumer = format!("CONSUMER.INFO.naq_jobs.naq-worker-{MIX}");
        let consumer = ask(jobs, &consumer, "").await?;
        let mut stuck = Vec::new();
        for subject in &left {
            stuck.push(whereabouts(jobs, subject).await?);
        }
        Err(format!("{stuck:#?}, {places:?}, {consumer:#}"))
    })
    .await;
}

/// Where a job is that has not gone: its message, and its outcome if it has one.
async fn whereabouts(jobs: &Jobs, subject: &str) -> Result<String, String> {
    let last = |stream: &str, subject: &str| {
        let verb = format!("STREAM.MSG.GET.{stream}");
        let body = serde_json::json!({ "last_by_subj": subject }).to_string();
        async move { ask(jobs, &verb, &body).await }
    };
    let job = last("naq_jobs", subject).await?;
    let id = subject.rsplit('.').next().unwrap_or_default();
    let outcome = last("naq_results", &format!("naq.result.{id}")).await;
    let (sequence, time) = (&job["message"]["seq"], &job["message"]["time"]);
    Ok(format!(
        "{subject}: {sequence} of {time}, outcome {:?}",
        outcome.map(|o| o["message"]["time"].to_string())
    ))
}

/// All outcomes.
pub(super) async fn outcomes(jobs: &Jobs) -> HashMap<String, Outcome> {
    let mut all = HashMap::new();
    let mut from = Some(0);
    while let Some(start) = from {
        let page = surely("outcomes", async || jobs.results().list(start, 500).await).await;
        all.extend(page.outcomes.into_iter().map(|o| (o.id.clone(), o)));
        from = page.next;
    }
    all
}

/// The ids of all dead letters.
pub(super) async fn dead(jobs: &Jobs) -> HashSet<String> {
    let letters = jobs.dead_letters();
    let page = surely("dead letters", async || letters.list(None, 0, 1000).await).await;
    page.letters
        .into_iter()
        .map(|letter| letter.id.to_string())
        .collect()
}

/// Removes what the round has left, for the next one.
pub(super) async fn clear(jobs: &Jobs) {
    surely("clear the outcomes", async || jobs.results().purge().await).await;
    surely("clear the dead letters", async || {
        jobs.dead_letters().purge(None).await
    })
    .await;
}
