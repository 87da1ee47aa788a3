//! What must be true of the demo; each line holds or does not.

use naq::{JobId, Outcome};

use super::audit::Audit;
use super::crowd::{Crowd, DELAY};
use super::files::Corpus;
use super::ledger::Ledger;
use super::text;
use crate::output::grouped;

/// One thing that must be true.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) holds: bool,
    pub(super) what: String,
}

/// All that is compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence<'a> {
    pub(super) audit: &'a Audit,
    pub(super) crowd: &'a Crowd,
    pub(super) corpus: &'a Corpus,
    pub(super) ledger: &'a Ledger,
    /// When the delayed job was enqueued, in milliseconds since 1970.
    pub(super) delayed_at_ms: u64,
}

/// All checks, in the order in which they are shown.
pub(super) fn all(evidence: Evidence<'_>) -> Vec<Check> {
    let Evidence {
        audit,
        crowd,
        ledger,
        ..
    } = evidence;
    let (lost, twice) = (audit.lost(crowd), ledger.executed_twice());
    let mut checks = vec![
        check(
            lost == 0,
            format!("no job is lost ({lost} of {})", crowd.len()),
        ),
        check(
            twice == 0,
            format!("no attempt was executed twice ({twice})"),
        ),
        no_attempt_too_many(&evidence),
        same_files(&evidence),
        same_sums(&evidence),
    ];
    checks.extend(special(&evidence));
    checks
}

/// Starts of handlers are explained by first attempts and recorded retries.
fn no_attempt_too_many(evidence: &Evidence<'_>) -> Check {
    let explained = u64::try_from(evidence.crowd.len()).unwrap_or(0) + evidence.audit.retried();
    let starts = evidence.ledger.starts();
    check(
        starts == explained,
        format!(
            "handlers started {} times: jobs and recorded retries",
            grouped(starts)
        ),
    )
}

fn same_files(evidence: &Evidence<'_>) -> Check {
    let Evidence {
        audit,
        crowd,
        corpus,
        ..
    } = *evidence;
    let pairs = || crowd.files.iter().zip(&corpus.files);
    let differs = |(id, file): &(&JobId, &super::files::Counted)| {
        audit.count_of(id).as_ref() != Some(&file.count)
    };
    let what = match pairs().find(differs) {
        None => "each file's result equals a direct count of it".to_owned(),
        Some((id, file)) => {
            let n = pairs().filter(differs).count();
            format!(
                "{n} results differ from a direct count: {} (job {id}); has it changed meanwhile?",
                file.path
            )
        }
    };
    check(pairs().all(|pair| !differs(&pair)), what)
}

fn same_sums(evidence: &Evidence<'_>) -> Check {
    let Evidence {
        audit,
        crowd,
        corpus,
        ledger,
        ..
    } = *evidence;
    let direct = (crowd.files.len(), corpus.lines(), corpus.words());
    let (files, lines, words) = audit.sums(crowd);
    let is_same = u64::try_from(direct.0).ok() == Some(files)
        && (direct.1, direct.2) == (lines, words)
        && text::top(&ledger.words()) == text::top(&corpus.frequencies);
    check(
        is_same,
        "their sums equal a direct count of all files".to_owned(),
    )
}

/// The jobs that behave badly have done so, each in its way.
fn special(evidence: &Evidence<'_>) -> [Check; 5] {
    let Evidence {
        audit,
        crowd,
        ledger,
        delayed_at_ms,
        ..
    } = *evidence;
    let ended = |id: &JobId, attempt: u32| {
        let recorded = audit
            .outcome(id)
            .filter(|outcome| outcome.attempt == attempt);
        recorded.is_some() && ledger.starts_of(id.as_str()) == attempt
    };
    let done = |id| audit.outcome(id).is_some_and(Outcome::is_success);
    let is_late_enough = audit.outcome(&crowd.delayed).is_some_and(|outcome| {
        u128::from(outcome.started_at_ms - delayed_at_ms.min(outcome.started_at_ms))
            >= DELAY.as_millis()
    });
    [
        check(
            done(&crowd.flaky) && ended(&crowd.flaky, 3),
            "a job that fails twice succeeds in its third attempt".to_owned(),
        ),
        check(
            audit.is_dead(&crowd.broken) && ended(&crowd.broken, 2),
            "a job that always fails is a dead letter, after its retry".to_owned(),
        ),
        check(
            audit.is_dead(&crowd.panics) && ended(&crowd.panics, 1) && audit.dead.len() == 2,
            "a job that panics is a dead letter, and there is no other".to_owned(),
        ),
        check(
            done(&crowd.delayed) && is_late_enough,
            format!("a job delayed by {DELAY:?} starts not before"),
        ),
        check(
            done(&crowd.slow) && ended(&crowd.slow, 1),
            "a job of 5s under a lease of 2s runs once".to_owned(),
        ),
    ]
}

fn check(holds: bool, what: String) -> Check {
    Check { holds, what }
}
