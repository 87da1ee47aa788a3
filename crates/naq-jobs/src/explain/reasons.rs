//! What follows from the facts.
//!
//! | it is | and | reason |
//! |---|---|---|
//! | parked `kind-` | its kind is paused | `kind_paused` |
//! | | no live worker of the queue knows the kind | `nobody_knows` or `nobody_serves` |
//! | parked `key-` | | `limited`, with the holders |
//! | parked otherwise | | `parked` |
//! | scheduled | booked by a rate | `rate_booked` |
//! | | its time is to come | `not_due` |
//! | | its time has passed by more than two seconds | `overdue` |
//! | waiting or scheduled | the queue is paused | `queue_paused` |
//! | | its kind is paused | `kind_paused` |
//! | | no live worker serves the queue | `nobody_serves` |
//! | | none of those has a handler for the kind | `nobody_knows` |
//! | waiting | as many are in hand as may be | `queue_full` |
//! | | no free slot | `all_busy` |
//! | | jobs before it | `in_line` |
//! | | none of these | `about_to_run` |
//! | running | its worker is silent | `worker_silent` |
//! | | a worker shows it | `runs` |
//! | | nobody does | `in_hand` |
//! | ended | | `completed`, `cancelled`, `failed` |
//! | unknown | | `unknown` |
//!
//! A worker counts if it is neither stale nor stopping. One that does not say which kinds it knows may know all.

use std::time::Duration;

use super::facts::{Facts, Hold, WorkerFact};
use super::reason::{Reason, millis};
use crate::inspect::JobStatus;
use crate::wire::{Outcome, Status};

/// Lateness of a schedule that is no reason to worry: the server fires up to 261 ms late, and clocks differ.
const LATE: Duration = Duration::from_secs(2);

/// Why the job does not run, or what became of it: the most telling reason first, at least one.
pub fn reasons(facts: &Facts) -> Vec<Reason> {
    match &facts.status {
        JobStatus::Waiting { ahead, .. } => waiting(facts, *ahead),
        JobStatus::Scheduled {
            due,
            retry,
            retries,
        } => {
            let mut all = vec![scheduled(facts, *due, *retry, *retries)];
            all.extend(surroundings(facts));
            all
        }
        JobStatus::Parked { why } => vec![parked(facts, why)],
        JobStatus::Running {
            worker,
            since,
            attempt,
            lease,
        } => {
            let silent = worker.as_ref().and_then(|id| {
                facts
                    .workers
                    .iter()
                    .find(|one| one.id == *id && one.is_stale)
            });
            vec![match (worker, silent) {
                (Some(worker), Some(fact)) => Reason::WorkerSilent {
                    worker: worker.clone(),
                    silent_ms: millis(fact.silent),
                    lease_ms: millis(*lease),
                },
                (Some(worker), None) => Reason::Runs {
                    worker: worker.clone(),
                    since: *since,
                    attempt: *attempt,
                },
                (None, _) => Reason::InHand {
                    lease_ms: millis(*lease),
                },
            }]
        }
        JobStatus::Ended {
            outcome,
            has_dead_letter,
        } => {
            vec![ended(facts, outcome.as_deref(), *has_dead_letter)]
        }
        JobStatus::Unknown => vec![Reason::Unknown],
    }
}

fn waiting(facts: &Facts, ahead: Option<u64>) -> Vec<Reason> {
    let mut all = surroundings(facts);
    let (in_flight, most) = facts.in_flight;
    if most > 0 && in_flight >= most {
        all.push(Reason::QueueFull { in_flight, most });
    }
    let workers = counting(facts);
    let running: u64 = workers.iter().map(|worker| worker.running as u64).sum();
    let slots: u64 = workers.iter().map(|worker| u64::from(worker.slots)).sum();
    if !workers.is_empty() && running >= slots {
        all.push(Reason::AllBusy {
            running,
            slots,
            workers: workers.len(),
        });
    }
    // Without a worker nobody has counted the line, and it is not why the job waits.
    if ahead.is_some_and(|ahead| ahead > 0) || (ahead.is_none() && !workers.is_empty()) {
        all.push(Reason::InLine { ahead });
    }
    if all.is_empty() {
        all.push(Reason::AboutToRun);
    }
    all
}

/// What would hold it up even if it were its turn.
fn surroundings(facts: &Facts) -> Vec<Reason> {
    let mut all = Vec::new();
    let queue = facts.queue.clone().unwrap_or_default();
    if let Some(Hold { since, reason, by }) = facts.queue_hold.clone() {
        all.push(Reason::QueuePaused {
            queue: queue.clone(),
            since,
            why: reason,
            by,
        });
    }
    all.extend(kind_paused(facts));
    all.extend(unstaffed(facts));
    all
}

fn kind_paused(facts: &Facts) -> Option<Reason> {
    let Hold { since, reason, by } = facts.kind_hold.clone()?;
    let kind = facts.kind.clone().unwrap_or_default();
    Some(Reason::KindPaused {
        kind,
        since,
        why: reason,
        by,
    })
}

/// Nobody serves the queue, or nobody of those knows the kind.
fn unstaffed(facts: &Facts) -> Option<Reason> {
    let workers = counting(facts);
    if workers.is_empty() {
        let queue = facts.queue.clone().unwrap_or_default();
        return Some(Reason::NobodyServes { queue });
    }
    let nobody = workers
        .iter()
        .all(|worker| worker.knows_kind == Some(false));
    nobody.then(|| Reason::NobodyKnows {
        kind: facts.kind.clone().unwrap_or_default(),
        workers: workers.len(),
    })
}

fn counting(facts: &Facts) -> Vec<&WorkerFact> {
    let counts = |worker: &&WorkerFact| !worker.is_stale && !worker.is_stopping;
    facts.workers.iter().filter(counts).collect()
}

fn scheduled(
    facts: &Facts,
    due: Option<std::time::SystemTime>,
    retry: u32,
    retries: u32,
) -> Reason {
    let left = due.and_then(|due| due.duration_since(facts.now).ok());
    let late = due.and_then(|due| facts.now.duration_since(due).ok());
    match (left, late) {
        _ if facts.is_booked => Reason::RateBooked { until: due },
        (_, Some(late)) if late > LATE => Reason::Overdue { due },
        (left, _) => Reason::NotDue {
            due,
            retry,
            retries,
            in_ms: left.map_or(0, millis),
        },
    }
}

fn parked(facts: &Facts, why: &str) -> Reason {
    if why.starts_with("kind-") {
        let reason = kind_paused(facts).or_else(|| unstaffed(facts));
        return reason.unwrap_or_else(|| Reason::Parked {
            why: why.to_owned(),
        });
    }
    match (why.starts_with("key-"), facts.limit.clone()) {
        (true, Some((key, holders))) => Reason::Limited { key, holders },
        _ => Reason::Parked {
            why: why.to_owned(),
        },
    }
}

fn ended(facts: &Facts, outcome: Option<&Outcome>, dead_letter: bool) -> Reason {
    let at = outcome.and_then(|outcome| crate::inspect::instant(outcome.finished_at_ms));
    let error = outcome.and_then(|outcome| outcome.error.as_ref());
    match outcome.map(|outcome| outcome.status) {
        Some(Status::Completed) => Reason::Completed { at },
        Some(Status::Cancelled) => Reason::Cancelled {
            why: error.map_or_else(String::new, ToString::to_string),
        },
        Some(Status::Failed) | None => {
            let (failure, error) = match (error, &facts.dead) {
                (Some(failure), _) => (failure.reason.to_string(), failure.message.clone()),
                (None, Some((reason, error))) => (reason.clone(), error.clone()),
                (None, None) => ("unknown".to_owned(), String::new()),
            };
            Reason::Failed {
                failure,
                error,
                dead_letter,
            }
        }
    }
}
