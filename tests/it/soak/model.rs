//! What must hold, reckoned from what was meant and what the handlers noted, without any part of the engine.

use std::collections::{BTreeMap, HashMap, HashSet};

use naq_jobs::{Outcome, Status};

use super::crew::Stood;
use super::plan::{LIMITS, MIX, RATE, RATED, Spec};
use crate::process::Entry;

/// A process that stands for longer has lost its leases: what it was doing is over from then on.
const LEASE: u64 = 1_900_000;

/// Time that a handler may need to notice, on a busy machine.
const SLACK: u64 = 300_000;

/// All that is known at the end of a round.
pub(super) struct Facts {
    /// The jobs that were enqueued, and what their cancel said: whether it was cancelled.
    pub(super) jobs: Vec<(Spec, Option<bool>)>,
    pub(super) entries: Vec<Entry>,
    pub(super) outcomes: HashMap<String, Outcome>,
    pub(super) dead: HashSet<String>,
    pub(super) stood: Vec<Stood>,
}

impl Facts {
    /// All that is wrong.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (spec, cancelled) in &self.jobs {
            self.check_end(spec, *cancelled, &mut faults);
        }
        let specs: HashMap<&str, &Spec> =
            self.jobs.iter().map(|(s, _)| (s.id.as_str(), s)).collect();
        let mut runs = self.runs();
        let overtaken = give_way(&mut runs).into_iter();
        let is_limited = |run: &Run| specs.get(run.id.as_str()).is_some_and(|s| s.queue == MIX);
        faults.extend(
            overtaken
                .filter(|(run, at)| is_limited(run) && run.until > at + LEASE)
                .map(|(run, at)| format!("{}: goes on beside its next run", run.shown(at))),
        );
        let of = |which: &dyn Fn(&Spec) -> bool| -> Vec<&Run> {
            let fits = |run: &&Run| specs.get(run.id.as_str()).is_some_and(|spec| which(spec));
            runs.iter().filter(fits).collect()
        };
        let mut limit = |name: String, most: u32, runs: Vec<&Run>| {
            if let Some((at, running)) = beyond(most, &runs) {
                let all: Vec<_> = runs
                    .iter()
                    .filter(|run| running.contains(&run.id))
                    .map(|run| run.shown(at))
                    .collect();
                faults.push(format!("{name}: more than {most} at {at}: {all:#?}"));
            }
        };
        limit("queue".into(), LIMITS.0, of(&|spec| spec.queue == MIX));
        for key in ["acme", "globex", "initech"] {
            let fits = |spec: &Spec| spec.queue == MIX && spec.limit_key == Some(key);
            limit(format!("limit key {key}"), LIMITS.1, of(&fits));
        }
        let keys: HashSet<_> = self
            .jobs
            .iter()
            .filter_map(|(s, _)| Some((s.queue, s.unique.clone()?)))
            .collect();
        for (queue, key) in keys {
            let fits = |spec: &Spec| spec.queue == queue && spec.unique.as_ref() == Some(&key);
            limit(format!("unique {queue} {key}"), 1, of(&fits));
        }
        check_rate(&of(&|spec| spec.queue == RATED), &mut faults);
        faults
    }

    /// The end of one job, and that it ran for it.
    fn check_end(&self, spec: &Spec, cancelled: Option<bool>, faults: &mut Vec<String>) {
        let id = &spec.id;
        let status = self.outcomes.get(id).map(|outcome| outcome.status);
        let ends = self
            .entries
            .iter()
            .filter(|e| e.what == "end" && e.id == *id)
            .count();
        let expected = match (cancelled, spec.is_to_fail()) {
            (Some(true), _) => Some(Status::Cancelled),
            (_, true) => Some(Status::Failed),
            (_, false) if !spec.leaves_outcome() => None,
            (_, false) => Some(Status::Completed),
        };
        if status != expected {
            let error = self.outcomes.get(id).and_then(|o| o.error.clone());
            faults.push(format!(
                "{id}: {status:?} instead of {expected:?} ({error:?}), {ends} ends, {spec:?}"
            ));
        }
        if matches!(expected, None | Some(Status::Completed)) && ends == 0 {
            faults.push(format!("{id}: lost: it never came to its end"));
        }
        if self.dead.contains(id) != (expected == Some(Status::Failed)) {
            faults.push(format!(
                "{id}: {expected:?}, dead letter {}",
                self.dead.contains(id)
            ));
        }
    }

    /// When which job ran.
    fn runs(&self) -> Vec<Run> {
        let mut open: HashMap<(&str, u32, u32), u64> = HashMap::new();
        let mut runs = Vec::new();
        let mut close = |id: &str, pid: u32, from: u64, to: u64| {
            let until = self.stands(pid, from, to).unwrap_or(to);
            runs.push(Run {
                id: id.to_owned(),
                pid,
                from,
                until,
            });
        };
        for entry in &self.entries {
            let key = (entry.id.as_str(), entry.attempt, entry.pid);
            match entry.what.as_str() {
                "start" => drop(open.insert(key, entry.at)),
                "gone" => {
                    if let Some(from) = open.remove(&key) {
                        close(&entry.id, entry.pid, from, entry.at);
                    }
                }
                _ => {}
            }
        }
        for ((id, _, pid), from) in open {
            close(id, pid, from, u64::MAX);
        }
        runs
    }

    /// When the process stopped for so long that what it did from `from` to `to` was over.
    fn stands(&self, pid: u32, from: u64, to: u64) -> Option<u64> {
        let mut stood = self.stood.iter().filter(|stood| stood.pid == pid);
        stood
            .find(|s| s.from >= from && s.from < to && s.until.saturating_sub(s.from) > LEASE)
            .map(|s| s.from)
    }
}

/// One attempt.
#[derive(Debug, Clone)]
struct Run {
    id: String,
    pid: u32,
    from: u64,
    until: u64,
}

impl Run {
    /// For people: in milliseconds before or after `at`.
    fn shown(&self, at: u64) -> String {
        let since = |time: u64| (i128::from(time) - i128::from(at)) as f64 / 1000.0;
        let until = match self.until {
            u64::MAX => "for ever".to_owned(),
            time => format!("until {:+.1} ms", since(time)),
        };
        format!(
            "{} in {} from {:+.1} ms {until}",
            self.id,
            self.pid,
            since(self.from)
        )
    }
}

/// Ends each run where another delivery of its job has overtaken it (a server that is killed forgets that a lease was
/// renewed): from then on the other one has the place. Says which these were, and when.
fn give_way(runs: &mut [Run]) -> Vec<(Run, u64)> {
    let all = runs.to_vec();
    let mut overtaken = Vec::new();
    for run in runs {
        let next = all
            .iter()
            .filter(|next| next.id == run.id && next.pid != run.pid && next.from > run.from)
            .map(|next| next.from)
            .min();
        if let Some(at) = next.filter(|at| *at < run.until) {
            overtaken.push((run.clone(), at));
            run.until = at;
        }
    }
    overtaken
}

/// The first instant with more than `most` jobs at a time. Two attempts of one job count once: they share a place.
fn beyond(most: u32, runs: &[&Run]) -> Option<(u64, Vec<String>)> {
    let mut starts: Vec<_> = runs.iter().map(|run| run.from).collect();
    starts.sort_unstable();
    starts.into_iter().find_map(|at| {
        let at_once: HashSet<&str> = runs
            .iter()
            .filter(|run| run.from <= at && at < run.until)
            .map(|run| run.id.as_str())
            .collect();
        (at_once.len() > most as usize)
            .then(|| (at, at_once.into_iter().map(str::to_owned).collect()))
    })
}

/// First starts only: a job that is delivered again has been counted.
fn check_rate(runs: &[&Run], faults: &mut Vec<String>) {
    let mut first: BTreeMap<&str, u64> = BTreeMap::new();
    for run in runs {
        let at = first.entry(&run.id).or_insert(run.from);
        *at = (*at).min(run.from);
    }
    let (Some(begin), Some(end)) = (first.values().min(), first.values().max()) else {
        return;
    };
    let seconds = (end - begin + SLACK) as f64 / 1e6;
    let most = f64::from(RATE.0) * seconds + f64::from(RATE.1) + 1.0;
    if first.len() as f64 > most {
        faults.push(format!("rate: {} starts in {seconds:.1} s", first.len()));
    }
}
