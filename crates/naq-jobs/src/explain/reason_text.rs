//! A reason in words, for people.

use std::fmt;

use super::text::{ago, at, held, not_due, span};
use super::{PlaceHolder, Reason};

/// Holders of places that a text names.
const NAMED: usize = 5;

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QueuePaused {
                queue,
                since,
                why,
                by,
            } => {
                write!(f, "the queue {queue} is paused")?;
                held(f, *since, by.as_deref(), why.as_deref())
            }
            Self::KindPaused {
                kind,
                since,
                why,
                by,
            } => {
                write!(f, "the kind {kind} is paused")?;
                held(f, *since, by.as_deref(), why.as_deref())
            }
            Self::Awaits { job } => write!(f, "it is kept back until the job {job} has ended"),
            Self::Parked { why } => write!(f, "it was put aside: {why}"),
            Self::RateBooked { until } => {
                write!(f, "the rate of its queue or key allows it{}", at(*until))
            }
            Self::NotDue {
                retry,
                retries,
                in_ms,
                ..
            } => not_due(f, *retry, *retries, *in_ms),
            Self::Overdue { due } => write!(
                f,
                "it was due{}, and the server has not let it go",
                at(*due)
            ),
            other => other.limited(f),
        }
    }
}

/// `: a on w-1 for 12 s, b and 3 more`.
fn named(f: &mut fmt::Formatter<'_>, holders: &[PlaceHolder]) -> fmt::Result {
    for (number, holder) in holders.iter().take(NAMED).enumerate() {
        f.write_str(if number == 0 { ": " } else { ", " })?;
        f.write_str(&holder.job)?;
        if let Some(worker) = &holder.worker {
            write!(f, " on {worker}{}", ago(holder.since))?;
        }
    }
    match holders.len().saturating_sub(NAMED) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

impl Reason {
    fn limited(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KindLimited { kind, holders } => {
                write!(f, "as many jobs of the kind {kind} run as may")?;
                named(f, holders)
            }
            Self::Limited {
                key,
                holders,
                next_look,
            } => {
                write!(f, "as many jobs of the limit key {key} run as may")?;
                named(f, holders)?;
                let look = at(*next_look);
                match look.is_empty() {
                    true => Ok(()),
                    false => write!(
                        f,
                        "; it goes on when one ends, and looks{look} at the latest"
                    ),
                }
            }
            Self::QueueLimited {
                queue,
                limit,
                holders,
                looks_every_ms,
            } => {
                write!(f, "the queue {queue} is limited to {limit} running job(s)")?;
                named(f, holders)?;
                match looks_every_ms {
                    Some(ms) => write!(
                        f,
                        "; it waits in a worker, is called when one ends, and looks every {} besides",
                        span(*ms)
                    ),
                    None => f.write_str("; it goes on when one ends"),
                }
            }
            other => other.rest(f),
        }
    }

    fn rest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NobodyServes { queue } => write!(f, "no worker serves the queue {queue}"),
            Self::NobodyKnows { kind, workers } => write!(
                f,
                "none of the {workers} worker(s) of its queue has a handler for the kind {kind}"
            ),
            Self::AllBusy { running, slots, workers } => write!(
                f,
                "all workers of its queue are busy: {workers} worker(s), {running} of {slots} slots used"
            ),
            Self::QueueFull { in_flight, most } => write!(
                f,
                "{in_flight} jobs of its queue are in hand, and {most} may be"
            ),
            Self::InLine { ahead: Some(1) } => f.write_str("1 job comes before it"),
            Self::InLine { ahead: Some(ahead) } => write!(f, "{ahead} jobs come before it"),
            Self::InLine { ahead: None } => f.write_str("very many jobs wait in its queue"),
            Self::AboutToRun => f.write_str("nothing holds it up: a worker takes it at any moment"),
            Self::Runs { worker, since, attempt } => {
                write!(f, "it runs on {worker}{}", ago(*since))?;
                attempt.map_or(Ok(()), |attempt| write!(f, ", attempt {attempt}"))
            }
            Self::WorkerSilent { worker, silent_ms, lease_ms } => write!(
                f,
                "its worker {worker} has been silent for {}; another one gets the job when the lease of {} is over",
                span(*silent_ms),
                span(*lease_ms)
            ),
            Self::InHand { lease_ms } => write!(
                f,
                "it is in hand, but no worker shows it: it was just taken, or its worker died; another one gets it \
                 within {} then",
                span(*lease_ms)
            ),
            Self::Flow(reason) => write!(f, "{reason}"),
            Self::Completed { at: when } => write!(f, "it completed{}", at(*when)),
            Self::Cancelled { why } => write!(f, "it was cancelled: {why}"),
            Self::Failed { failure, error, dead_letter } => {
                write!(f, "it failed for good ({failure}): {error}")?;
                f.write_str(if *dead_letter { "" } else { "; there is no dead letter of it any more" })
            }
            _ => f.write_str(
                "nothing is known of it: it never was, its outcome has expired, or it completed without keeping one",
            ),
        }
    }
}
