//! What a firing leads to: which instants run, and which one is next. Pure.
//!
//! ```text
//!            fires at `next`                      │ policies
//!   ACTIVE ───────────────────► instants up to now┼─► run: a job each ──► `next` = the first that is still to come
//!     ▲  │ pause                                  └─► left out
//!     │  ▼                                               none is to come, or no runs are left
//!   PAUSED ◄── resume: `next` = the first after now      └──────────────────────────► FINISHED
//! ```

use jiff::{SignedDuration, Timestamp};

use super::calendar::{Firings, Timetable};
use super::policy::{CatchUp, Overlap};
use super::record::{Record, ScheduleState};
use crate::model::ScheduleName;

/// A firing that is handled later than this was missed.
const LATE: SignedDuration = SignedDuration::from_secs(30);

/// The same for intervals below one second.
const LATE_IF_FAST: SignedDuration = SignedDuration::from_secs(1);

/// Runs that one firing may catch up at the most.
const MOST: usize = 100;

/// What the last job of a schedule is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastJob {
    /// It has ended, or nobody asks.
    Over,
    /// It waits or runs.
    Busy,
    /// It waits for the end of the one before.
    KeptBack,
}

/// Handles the firing of `record.next_s`: says which instants run, the oldest first, and moves the record on.
///
/// `now` is the server's time.
pub(super) fn advance(
    record: &mut Record,
    table: &Timetable,
    name: &ScheduleName,
    now: Timestamp,
    last: LastJob,
) -> Vec<Timestamp> {
    let Some(first) = record.next() else {
        record.set_next(table.next_after(now).map(|firing| firing.at));
        return Vec::new();
    };
    // The clocks of two servers may differ by a little.
    let now = now.max(first);
    let (mut runs, newest) = due(record, table, name, first, now);
    let at_once = match (record.overlap, last) {
        (Overlap::Allow, _) => None,
        (Overlap::Queue, LastJob::Over) => Some(2),
        (Overlap::Queue, LastJob::Busy) | (Overlap::Skip, LastJob::Over) => Some(1),
        (Overlap::Queue, LastJob::KeptBack) | (Overlap::Skip, _) => Some(0),
    };
    if let Some(kept) = at_once {
        let kept = runs.len().min(kept);
        record.skipped += u64::try_from(runs.len() - kept).unwrap_or(0);
        runs.drain(..runs.len() - kept);
    }
    if let Some(left) = record.remaining {
        runs.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        record.remaining = Some(left - u64::try_from(runs.len()).unwrap_or(0).min(left));
    }
    let is_used_up = record.remaining == Some(0);
    let next = table.next_after(newest).map(|firing| firing.at);
    record.set_next(next.filter(|_| !is_used_up));
    record.runs += u64::try_from(runs.len()).unwrap_or(0);
    runs
}

/// The instants from `first` on that run, and the newest that this decides.
fn due(
    record: &Record,
    table: &Timetable,
    name: &ScheduleName,
    first: Timestamp,
    now: Timestamp,
) -> (Vec<Timestamp>, Timestamp) {
    let jitter = SignedDuration::from_secs(i64::from(record.jitter_s));
    let late = if record.rule.is_fast() {
        LATE_IF_FAST
    } else {
        LATE
    };
    let late_before = now.checked_sub(late + jitter).unwrap_or(first);
    let is_due = |at: &Timestamp| record.due(name, *at) <= now;
    if first >= late_before {
        // What was armed runs, also if the rule has changed since and does not name it any more.
        let more = between(table, first + SignedDuration::from_millis(1), now).take_while(is_due);
        let runs: Vec<Timestamp> = std::iter::once(first).chain(more).collect();
        let newest = runs.last().copied().unwrap_or(first);
        return (runs, newest);
    }
    let recent: Vec<Timestamp> = between(table, late_before, now)
        .take_while(is_due)
        .collect();
    let just_before = late_before.checked_sub(SignedDuration::from_nanos(1));
    let missed_until = just_before.unwrap_or(first);
    // With a jitter, what is not late may still be to come.
    let newest = recent.last().copied().unwrap_or(missed_until);
    let mut runs = match record.catch_up {
        CatchUp::None => Vec::new(),
        CatchUp::One if recent.is_empty() => newest_between(table, first, missed_until, 1),
        CatchUp::One => Vec::new(),
        CatchUp::All { most, within } => {
            let within = SignedDuration::try_from(within).unwrap_or(SignedDuration::MAX);
            let oldest = now.checked_sub(within).unwrap_or(first).max(first);
            newest_between(table, oldest, missed_until, usize::from(most).min(MOST))
        }
    };
    runs.extend(recent);
    (runs, newest)
}

/// The instants from `first` to `last`, both included.
fn between(
    table: &Timetable,
    first: Timestamp,
    last: Timestamp,
) -> impl Iterator<Item = Timestamp> {
    let before = first.checked_sub(SignedDuration::from_nanos(1));
    Firings::after(table, before.ok())
        .map(|firing| firing.at)
        .take_while(move |at| *at <= last)
}

/// The newest instants, at most `most`, from `first` to `last`, both included.
///
/// The search begins near `last` and goes back in growing steps, so a long time full of firings costs little.
fn newest_between(
    table: &Timetable,
    first: Timestamp,
    last: Timestamp,
    most: usize,
) -> Vec<Timestamp> {
    let mut back = SignedDuration::from_secs(64);
    loop {
        let from = last.checked_sub(back).unwrap_or(first).max(first);
        let found: Vec<Timestamp> = between(table, from, last).collect();
        if found.len() >= most || from == first {
            return found[found.len().saturating_sub(most)..].to_vec();
        }
        back = back.saturating_mul(4);
    }
}

/// Where an active schedule goes on after a change: a firing that is due and not yet handled stays due.
pub(super) fn settle_next(record: &mut Record, table: &Timetable, now: Timestamp) {
    if record.state != ScheduleState::Active {
        return;
    }
    let due = record.next().filter(|next| *next <= now);
    if due.is_none() {
        record.set_next(table.next_after(now).map(|firing| firing.at));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::schedule::record::VERSION;
    use crate::schedule::rule::WireRule;

    const START: i64 = 1_700_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(START + seconds).unwrap()
    }

    /// Fires each `step` seconds, next at 0.
    fn record(step: u64, catch_up: CatchUp) -> Record {
        Record {
            v: VERSION,
            state: ScheduleState::Active,
            rule: WireRule::Every {
                seconds: step,
                millis: 0,
                anchor_s: START - i64::try_from(step).unwrap(),
            },
            start_s: None,
            end_s: None,
            remaining: None,
            jitter_s: 0,
            catch_up,
            overlap: Overlap::Allow,
            queue: "mail".to_owned(),
            job: serde_json::from_str("{}").unwrap(),
            headers: std::collections::BTreeMap::new(),
            next_s: Some(START),
            next_ms: 0,
            runs: 0,
            skipped: 0,
            last: None,
            last_fired: None,
            beat: None,
            created_s: START,
            turn: 1,
        }
    }

    fn fire(record: &mut Record, now: i64, is_busy: bool) -> Vec<i64> {
        let table = record.timetable().unwrap();
        let name = ScheduleName::new("s").unwrap();
        let last = if is_busy {
            LastJob::Busy
        } else {
            LastJob::Over
        };
        let runs = advance(record, &table, &name, at(now), last);
        runs.iter().map(|run| run.as_second() - START).collect()
    }

    fn next(record: &Record) -> Option<i64> {
        record.next_s.map(|s| s - START)
    }

    #[test]
    fn on_time_one_runs_and_the_next_is_armed() {
        let mut all = record(60, CatchUp::None);
        assert_eq!((fire(&mut all, 0, false), next(&all)), (vec![0], Some(60)));
        assert_eq!(
            (fire(&mut all, 75, false), next(&all)),
            (vec![60], Some(120))
        );
        // By a server whose clock is behind.
        assert_eq!(
            (fire(&mut all, 118, false), next(&all)),
            (vec![120], Some(180))
        );
    }

    #[test]
    fn missed_firings_follow_the_policy() {
        let hours = |h: u64| Duration::from_secs(h * 3600);
        let all = |most, within| CatchUp::All { most, within };
        for (policy, expected) in [
            (CatchUp::None, vec![]),
            (CatchUp::One, vec![10_800]),
            (all(100, hours(9)), vec![0, 3600, 7200, 10_800]),
            (all(2, hours(9)), vec![7200, 10_800]),
            (all(100, hours(2)), vec![7200, 10_800]),
            (all(100, hours(0)), vec![]),
        ] {
            let mut late = record(3600, policy);
            assert_eq!(
                fire(&mut late, 3 * 3600 + 1800, false),
                expected,
                "{policy:?}"
            );
            assert_eq!(next(&late), Some(4 * 3600), "{policy:?}");
        }
        // What is due just now runs in any case, and then the missed ones need no run of their own.
        let mut late = record(3600, CatchUp::One);
        assert_eq!(fire(&mut late, 4 * 3600, false), [4 * 3600]);
    }

    #[test]
    fn ten_years_of_seconds_are_caught_up_at_once() {
        let most = CatchUp::All {
            most: 5,
            within: Duration::MAX,
        };
        let mut late = record(1, most);
        let years = 10 * 365 * 24 * 3600;
        let runs = fire(&mut late, years, false);
        // The last 30 seconds are not late.
        assert_eq!(runs.len(), 5 + 31);
        assert_eq!((runs.last(), next(&late)), (Some(&years), Some(years + 1)));
    }

    #[test]
    fn a_busy_schedule_skips_and_a_counted_one_ends() {
        let mut busy = record(10, CatchUp::One);
        busy.overlap = Overlap::Skip;
        assert_eq!(fire(&mut busy, 0, true), [] as [i64; 0]);
        assert_eq!((busy.skipped, next(&busy)), (1, Some(10)));
        assert_eq!(fire(&mut busy, 31, false), [30]);
        assert_eq!(busy.skipped, 3);
        let mut counted = record(10, CatchUp::One);
        counted.remaining = Some(2);
        assert_eq!(fire(&mut counted, 25, false), [0, 10]);
        assert_eq!((counted.state, counted.runs), (ScheduleState::Finished, 2));
        assert_eq!(next(&counted), None);
    }

    #[test]
    fn a_queued_schedule_keeps_one_back() {
        let mut queued = record(10, CatchUp::One);
        queued.overlap = Overlap::Queue;
        let table = queued.timetable().unwrap();
        let name = ScheduleName::new("s").unwrap();
        let mut fire = |now, last| {
            let runs = advance(&mut queued, &table, &name, at(now), last);
            let runs: Vec<i64> = runs.iter().map(|run| run.as_second() - START).collect();
            (runs, queued.skipped)
        };
        assert_eq!(fire(0, LastJob::Over), (vec![0], 0));
        assert_eq!(fire(10, LastJob::Busy), (vec![10], 0));
        assert_eq!(fire(20, LastJob::KeptBack), (vec![], 1));
        // Of several one runs and one is kept back.
        assert_eq!(fire(50, LastJob::Over), (vec![40, 50], 2));
    }

    #[test]
    fn a_short_interval_counts_in_milliseconds_and_is_late_after_one_second() {
        let mut fast = record(1, CatchUp::One);
        fast.rule = WireRule::Every {
            seconds: 0,
            millis: 300,
            anchor_s: START,
        };
        fast.set_next(Some(at(0) + SignedDuration::from_millis(300)));
        let table = fast.timetable().unwrap();
        let name = ScheduleName::new("s").unwrap();
        let mut fire = |fast: &mut Record, now: i64| {
            let now = at(0) + SignedDuration::from_millis(now);
            let runs = advance(fast, &table, &name, now, LastJob::Over);
            let since = |run: &Timestamp| run.as_millisecond() - START * 1000;
            runs.iter().map(since).collect::<Vec<i64>>()
        };
        assert_eq!(fire(&mut fast, 310), [300]);
        assert_eq!(fire(&mut fast, 1300), [600, 900, 1200]);
        // 1500 to 2100 were missed, and newer ones run.
        assert_eq!(fire(&mut fast, 3200), [2400, 2700, 3000]);
        fast.catch_up = CatchUp::All {
            most: 2,
            within: Duration::from_secs(60),
        };
        assert_eq!(fire(&mut fast, 6000), [4500, 4800, 5100, 5400, 5700, 6000]);
        assert_eq!(fast.next(), Some(at(6) + SignedDuration::from_millis(300)));
    }

    #[test]
    fn a_change_keeps_what_is_due_and_moves_the_rest() {
        let mut changed = record(60, CatchUp::One);
        changed.rule = WireRule::Every {
            seconds: 7,
            millis: 0,
            anchor_s: START + 1,
        };
        let table = changed.timetable().unwrap();
        settle_next(&mut changed, &table, at(5));
        assert_eq!(
            (fire(&mut changed, 5, false), next(&changed)),
            (vec![0], Some(8))
        );
        settle_next(&mut changed, &table, at(2));
        assert_eq!(next(&changed), Some(8));
    }

    proptest! {
        /// However late the firings are handled, with `All` each instant runs once and in order.
        #[test]
        fn each_instant_runs_once(
            step in 1_u64..400,
            jitter in 0_u32..200,
            waits in prop::collection::vec(0_i64..500, 1..30),
        ) {
            let all = CatchUp::All { most: 100, within: Duration::MAX };
            let mut record = record(step, all);
            record.jitter_s = jitter;
            let name = ScheduleName::new("s").unwrap();
            let (mut now, mut ran) = (0, Vec::new());
            for wait in waits {
                let armed = Timestamp::from_second(record.next_s.unwrap()).unwrap();
                let due = record.due(&name, armed).as_second() - START;
                now = due.max(now) + wait.min(i64::try_from(step).unwrap() * 90);
                ran.extend(fire(&mut record, now, false));
            }
            let step = i64::try_from(step).unwrap();
            let expected: Vec<i64> = (0..).map(|n| n * step).take(ran.len()).collect();
            prop_assert_eq!(ran, expected);
        }
    }
}
