//! What follows from the facts.
//!
//! | it is | and | reason |
//! |---|---|---|
//! | parked `kind-` | its kind is paused | `kind_paused` |
//! | | no live worker of the queue knows the kind | `nobody_knows` or `nobody_serves` |
//! | parked `key-` | | `limited`, with the holders |
//! | parked `most-` | | `kind_limited`, with the holders |
//! | parked `after-` | | `awaits`, with the job |
//! | parked otherwise | | `parked` |
//! | scheduled | booked by a rate | `rate_booked` |
//! | | its time is to come | `not_due` |
//! | | its time has passed by more than two seconds | `overdue` |
//! | waiting or scheduled | the queue is paused | `queue_paused` |
//! | | its kind is paused | `kind_paused` |
//! | | no live worker serves the queue | `nobody_serves` |
//! | | none of those has a handler for the kind | `nobody_knows` |
//! | waiting | as many run as the limit of the queue allows | `queue_limited`, with the holders |
//! | | as many are in hand as may be | `queue_full` |
//! | | no free slot | `all_busy` |
//! | | jobs before it | `in_line` |
//! | | none of these | `about_to_run` |
//! | running | its worker is silent | `worker_silent` |
//! | | a worker shows it | `runs` |
//! | | nobody does, and as many run as the limit of the queue allows | `queue_limited` |
//! | | nobody does otherwise | `in_hand` |
//! | ended | | `completed`, `cancelled`, `failed` |
//! | a node without a job, or a workflow | | see [`super::flow`] |
//! | unknown | | `unknown` |
//!
//! A worker counts if it is neither stale nor stopping. One that does not say which kinds it knows may know all.

use std::time::Duration;

use super::facts::{Facts, Hold, WorkerFact};
use super::flow::flow_reason;
use super::reason::Reason;
use crate::inspect::JobStatus;
use crate::parked::Why;
use crate::wire::{Outcome, Status, millis};

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
                (None, _) => limited(facts, Some(millis(*lease / 3))).unwrap_or(Reason::InHand {
                    lease_ms: millis(*lease),
                }),
            }]
        }
        JobStatus::Ended {
            outcome,
            has_dead_letter,
        } => {
            vec![ended(facts, outcome.as_deref(), *has_dead_letter)]
        }
        JobStatus::Flow(place) => vec![Reason::Flow(flow_reason(place))],
        JobStatus::Unknown => vec![Reason::Unknown],
    }
}

fn waiting(facts: &Facts, ahead: Option<u64>) -> Vec<Reason> {
    let mut all = surroundings(facts);
    let (in_flight, most) = facts.in_flight;
    match limited(facts, None) {
        Some(limited) => all.push(limited),
        None if most > 0 && in_flight >= most => all.push(Reason::QueueFull { in_flight, most }),
        None => {}
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

/// Whether as many jobs of the queue run as may, and it is none of them.
fn limited(facts: &Facts, looks_every_ms: Option<u64>) -> Option<Reason> {
    let (limit, holders) = facts.queue_limit.clone()?;
    let is_one = holders.iter().any(|holder| holder.job == facts.id.as_str());
    let is_full = u32::try_from(holders.len()).is_ok_and(|count| count >= limit.min(100));
    (is_full && !is_one).then(|| Reason::QueueLimited {
        queue: facts.queue.clone().unwrap_or_default(),
        limit,
        holders,
        looks_every_ms,
    })
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
    facts.workers.iter().filter(|one| one.counts()).collect()
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
    if let (true, Some(kind)) = (Why::is_kind_limit(why), facts.kind.clone()) {
        let holders = facts.kind_holders.clone();
        return Reason::KindLimited { kind, holders };
    }
    if let (true, Some(job)) = (Why::is_after(why), facts.after.clone()) {
        return Reason::Awaits { job };
    }
    match (why.starts_with("key-"), facts.limit.clone()) {
        (true, Some((key, holders))) => Reason::Limited {
            key,
            holders,
            next_look: facts.comes_back,
        },
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

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::*;
    use crate::explain::PlaceHolder;

    fn facts(status: JobStatus) -> Facts {
        Facts {
            id: "j".parse().unwrap(),
            now: UNIX_EPOCH + Duration::from_secs(1000),
            status,
            queue: Some("mail".into()),
            kind: Some("send".into()),
            is_booked: false,
            queue_hold: None,
            kind_hold: None,
            in_flight: (0, 1000),
            limit: None,
            kind_holders: Vec::new(),
            comes_back: None,
            queue_limit: None,
            after: None,
            workers: vec![worker("w", 1)],
            dead: None,
            unread: Vec::new(),
        }
    }

    fn worker(id: &str, running: usize) -> WorkerFact {
        WorkerFact {
            id: id.into(),
            silent: Duration::ZERO,
            is_stale: false,
            is_stopping: false,
            knows_kind: Some(true),
            running,
            slots: 2,
        }
    }

    fn holder(job: &str) -> PlaceHolder {
        PlaceHolder {
            job: job.into(),
            worker: Some("w".into()),
            since: None,
        }
    }

    fn waiting_job(ahead: Option<u64>) -> JobStatus {
        JobStatus::Waiting {
            since: UNIX_EPOCH,
            ahead,
        }
    }

    fn words(facts: &Facts) -> String {
        let word = |reason: &Reason| {
            let value = serde_json::to_value(reason).unwrap();
            value["reason"].as_str().unwrap().to_owned()
        };
        reasons(facts)
            .iter()
            .map(word)
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The words after an adjustment of a job that waits with nobody ahead.
    fn of(adjust: impl FnOnce(&mut Facts)) -> String {
        let mut facts = facts(waiting_job(Some(0)));
        adjust(&mut facts);
        words(&facts)
    }

    #[test]
    fn a_waiting_job_waits_for_each_thing_that_holds_it_up() {
        assert_eq!(of(|_| {}), "about_to_run");
        assert_eq!(of(|f| f.status = waiting_job(Some(3))), "in_line");
        assert_eq!(of(|f| f.queue_hold = Some(Hold::default())), "queue_paused");
        assert_eq!(of(|f| f.kind_hold = Some(Hold::default())), "kind_paused");
        assert_eq!(of(|f| f.workers.clear()), "nobody_serves");
        assert_eq!(of(|f| f.workers[0].is_stale = true), "nobody_serves");
        assert_eq!(of(|f| f.workers[0].is_stopping = true), "nobody_serves");
        assert_eq!(
            of(|f| f.workers[0].knows_kind = Some(false)),
            "nobody_knows"
        );
        assert_eq!(of(|f| f.workers[0].knows_kind = None), "about_to_run");
        assert_eq!(of(|f| f.workers[0].running = 2), "all_busy");
        assert_eq!(of(|f| f.in_flight = (7, 7)), "queue_full");
        let limited = |limit, f: &mut Facts| {
            f.in_flight = (7, 7);
            f.queue_limit = Some((limit, vec![holder("a"), holder("b")]));
        };
        assert_eq!(of(|f| limited(2, f)), "queue_limited");
        assert_eq!(of(|f| limited(3, f)), "queue_full");
        let both = of(|f| {
            f.queue_hold = Some(Hold::default());
            f.workers[0].running = 2;
            f.status = waiting_job(Some(9));
        });
        assert_eq!(both, "queue_paused all_busy in_line");
        let one_knows = of(|f| {
            f.workers[0].knows_kind = Some(false);
            f.workers.push(worker("v", 0));
        });
        assert_eq!(one_knows, "about_to_run");
    }

    #[test]
    fn a_job_that_was_put_aside_says_why() {
        let parked = |why: &str| JobStatus::Parked {
            why: why.to_owned(),
        };
        assert_eq!(of(|f| f.status = parked("other")), "parked");
        assert_eq!(of(|f| f.status = parked("key-1")), "parked");
        let limited = of(|f| {
            f.status = parked("key-1");
            f.limit = Some(("tenant".into(), vec![holder("a")]));
        });
        assert_eq!(limited, "limited");
        let kind_limited = of(|f| f.status = parked("most-1"));
        assert_eq!(kind_limited, "kind_limited");
        let paused = of(|f| {
            f.status = parked("kind-1");
            f.kind_hold = Some(Hold::default());
        });
        assert_eq!(paused, "kind_paused");
        let unknown = of(|f| {
            f.status = parked("kind-1");
            f.workers[0].knows_kind = Some(false);
        });
        assert_eq!(unknown, "nobody_knows");
    }

    #[test]
    fn a_job_that_does_not_wait_for_a_worker_is_told_where_it_is() {
        let at = |secs| Some(UNIX_EPOCH + Duration::from_secs(secs));
        let later = |due| JobStatus::Scheduled {
            due,
            retry: 1,
            retries: 3,
        };
        assert_eq!(of(|f| f.status = later(at(1060))), "not_due");
        assert_eq!(of(|f| f.status = later(at(999))), "not_due");
        assert_eq!(of(|f| f.status = later(at(900))), "overdue");
        let booked = |f: &mut Facts| {
            f.status = later(at(1001));
            f.is_booked = true;
        };
        assert_eq!(of(booked), "rate_booked");
        let nobody = of(|f| {
            f.status = later(at(1060));
            f.workers.clear();
        });
        assert_eq!(nobody, "not_due nobody_serves");
        let running = |worker: Option<&str>| JobStatus::Running {
            worker: worker.map(str::to_owned),
            since: None,
            attempt: Some(1),
            lease: Duration::from_secs(60),
        };
        assert_eq!(of(|f| f.status = running(Some("w"))), "runs");
        assert_eq!(of(|f| f.status = running(None)), "in_hand");
        let in_line = |id: &str| {
            of(|f| {
                f.status = running(None);
                f.queue_limit = Some((1, vec![holder(id)]));
            })
        };
        assert_eq!(in_line("other"), "queue_limited");
        assert_eq!(in_line("j"), "in_hand", "it has a place itself");
        let silent = of(|f| {
            f.status = running(Some("w"));
            f.workers[0].is_stale = true;
        });
        assert_eq!(silent, "worker_silent");
        let expired = JobStatus::Ended {
            outcome: None,
            has_dead_letter: true,
        };
        assert_eq!(of(|f| f.status = expired), "failed");
        assert_eq!(of(|f| f.status = JobStatus::Unknown), "unknown");
    }

    prop_compose! {
        fn any_worker()(
            is_stale: bool, is_stopping: bool, knows_kind: Option<bool>, running in 0_usize..4,
        ) -> WorkerFact {
            WorkerFact { is_stale, is_stopping, knows_kind, running, ..worker("w", 0) }
        }
    }

    fn any_status() -> impl Strategy<Value = JobStatus> {
        let time = (900_u64..1100).prop_map(|secs| Some(UNIX_EPOCH + Duration::from_secs(secs)));
        prop_oneof![
            proptest::option::of(0_u64..3).prop_map(waiting_job),
            (time, 0_u32..3).prop_map(|(due, retry): (Option<SystemTime>, u32)| {
                JobStatus::Scheduled {
                    due,
                    retry,
                    retries: 3,
                }
            }),
            "(key|kind|x)-[0-9]".prop_map(|why| JobStatus::Parked { why }),
            Just(JobStatus::Unknown),
        ]
    }

    proptest! {
        #[test]
        fn there_is_always_a_reason_with_a_text_and_never_two_alike(
            status in any_status(),
            workers in proptest::collection::vec(any_worker(), 0..4),
            is_paused: bool,
            in_flight in 0_u64..3,
        ) {
            let mut facts = facts(status);
            facts.workers = workers;
            facts.in_flight = (in_flight, 2);
            facts.queue_hold = is_paused.then(Hold::default);
            let found = words(&facts);
            let all: Vec<&str> = found.split(' ').collect();
            let distinct: std::collections::BTreeSet<&&str> = all.iter().collect();
            prop_assert!(!found.is_empty() && distinct.len() == all.len(), "{found}");
            prop_assert!(reasons(&facts).iter().all(|reason| !reason.to_string().is_empty()));
            // Whoever is about to run is held up by nothing.
            prop_assert!(!found.contains("about_to_run") || all.len() == 1);
            prop_assert!(!(is_paused && found.contains("about_to_run")));
        }
    }
}
