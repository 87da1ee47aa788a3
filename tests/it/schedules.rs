//! Recurring schedules: what a user sees of them, and that each firing makes one job, whatever happens meanwhile.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::HeaderMap;
use naq_jobs::{
    CatchUp, Dst, JobContext, Jobs, JobsErrorKind, Overlap, RunningWorker, Schedule,
    ScheduleChange, ScheduleName, ScheduleRule, ScheduleState,
};
use naq_testing::{eventually, eventually_eq};
use serde_json::{Value, json};

use crate::setup::{Bed, ECHO, Gate, LONG, echo};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn name(text: &str) -> ScheduleName {
    ScheduleName::new(text).unwrap()
}

pub(crate) async fn echo_worker(jobs: &Jobs) -> RunningWorker {
    jobs.worker().handle(ECHO, echo).start().await.unwrap()
}

/// The ids of all jobs that have ended.
pub(crate) async fn ended(jobs: &Jobs) -> BTreeSet<String> {
    let page = jobs.results().list(0, 1000).await.unwrap();
    page.outcomes.into_iter().map(|o| o.id).collect()
}

/// The instants in the job ids of one schedule, in seconds of their day.
pub(crate) fn instants<'a>(ids: impl IntoIterator<Item = &'a String>, schedule: &str) -> Vec<u64> {
    let prefix = format!("{schedule}-20");
    let of = |id: &String| {
        let time = id.strip_prefix(&prefix)?.split_once('T')?.1;
        let part = |at: usize| time[at..at + 2].parse::<u64>().unwrap();
        Some(part(0) * 3600 + part(2) * 60 + part(4))
    };
    ids.into_iter().filter_map(of).collect()
}

/// Whether each instant comes `step` seconds after the one before, also over midnight.
pub(crate) fn is_without_gap(instants: &[u64], step: u64) -> bool {
    let mut sorted = instants.to_vec();
    sorted.sort_unstable();
    let steps = sorted.windows(2).filter(|two| two[1] - two[0] != step);
    let around = sorted
        .first()
        .zip(sorted.last())
        .is_some_and(|(a, b)| b - a > 80_000);
    steps.count() <= usize::from(around)
}

pub(crate) async fn find(jobs: &Jobs, schedule: &str) -> Schedule {
    jobs.schedules()
        .get(&name(schedule))
        .await
        .unwrap()
        .unwrap()
}

/// AC-14: an interval with a repeat count, over several workers.
#[tokio::test]
async fn an_interval_runs_as_often_as_its_count_says() {
    let bed = Bed::new().await;
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(echo_worker(&bed.other(|_| {}).await).await);
    }
    let job = ECHO.job(&json!("tick")).unwrap();
    let made = bed
        .jobs
        .schedule(job)
        .every(SECOND)
        .repeat(4)
        .create("tick")
        .await
        .unwrap();
    assert_eq!(
        (made.state(), made.remaining()),
        (ScheduleState::Active, Some(4))
    );
    assert_eq!(made.next_firings(10).len(), 4);
    eventually(LONG, async || match find(&bed.jobs, "tick").await {
        done if done.state() == ScheduleState::Finished => Ok(()),
        seen => Err(seen),
    })
    .await;
    eventually_eq(LONG, 4, async || ended(&bed.jobs).await.len()).await;
    let ids = ended(&bed.jobs).await;
    assert!(is_without_gap(&instants(&ids, "tick"), 1), "{ids:?}");
    let done = find(&bed.jobs, "tick").await;
    assert_eq!(
        (done.runs(), done.remaining(), done.next()),
        (4, Some(0), None)
    );
    assert_eq!(done.last_run().unwrap().1, ids.last().unwrap());
    // Nothing of it is left that could fire.
    assert!(bed.subjects("naq_jobs", "naq.arm.*").await.is_empty());
    eventually_eq(LONG, Vec::<String>::new(), async || {
        bed.subjects("naq_jobs", "naq.fire.*").await
    })
    .await;
    for worker in workers {
        worker.stop(LONG).await;
    }
}

/// AC-14, in real time: a cron expression with seconds, in a zone.
#[tokio::test]
async fn a_cron_expression_fires_at_its_times_and_never_early() {
    let bed = Bed::new().await;
    let worker = echo_worker(&bed.jobs).await;
    let job = ECHO
        .job(&json!(1))
        .unwrap()
        .queue("naq_default_queue")
        .unwrap();
    let new = bed
        .jobs
        .schedule(job)
        .cron("*/2 * * * * *")
        .zone("Asia/Kathmandu");
    new.create("even").await.unwrap();
    eventually(LONG, async || match ended(&bed.jobs).await.len() {
        3.. => Ok(()),
        few => Err(few),
    })
    .await;
    worker.stop(LONG).await;
    let outcomes = bed.jobs.results().list(0, 10).await.unwrap().outcomes;
    let ids: Vec<String> = outcomes.iter().map(|o| o.id.clone()).collect();
    let seconds = instants(&ids, "even");
    assert!(seconds.iter().all(|s| s % 2 == 0), "{ids:?}");
    assert!(is_without_gap(&seconds, 2), "{ids:?}");
    for (outcome, second) in outcomes.iter().zip(seconds) {
        assert!(
            outcome.started_at_ms / 1000 % 86_400 >= second,
            "{outcome:?}"
        );
    }
}

/// AC-15.
#[tokio::test]
async fn a_schedule_is_shown_changed_paused_and_resumed() {
    let bed = Bed::new().await;
    let schedules = bed.jobs.schedules();
    let report = || {
        ECHO.job(&json!({"report": 1}))
            .unwrap()
            .queue("reports")
            .unwrap()
    };
    let new = bed
        .jobs
        .schedule(report())
        .cron("30 2 * * *")
        .zone("Europe/Amsterdam");
    let made = new
        .dst(Dst::Twice)
        .jitter(5 * SECOND)
        .create("nightly")
        .await
        .unwrap();
    assert_eq!((made.kind().as_str(), made.queue()), ("echo", "reports"));
    let first = made.next().unwrap();
    assert_eq!(made.next_firings(2)[0].time(), first);
    let again = bed
        .jobs
        .schedule(report())
        .every(SECOND)
        .create("nightly")
        .await;
    assert_eq!(again.unwrap_err().kind(), JobsErrorKind::AlreadyExists);

    let change = ScheduleChange::new()
        .cron("0 3 * * 0")
        .catch_up(CatchUp::None);
    let changed = schedules.modify(&name("nightly"), &change).await.unwrap();
    let rule = ScheduleRule::Cron {
        text: "0 3 * * 0".to_owned(),
        zone: "Europe/Amsterdam".to_owned(),
        dst: Dst::Twice,
    };
    assert_eq!(changed.rule(), rule);
    assert_eq!(
        (changed.catch_up(), changed.jitter()),
        (CatchUp::None, 5 * SECOND)
    );
    assert_ne!(changed.next().unwrap(), first);

    let paused = schedules.pause(&name("nightly")).await.unwrap();
    assert_eq!(
        (paused.state(), paused.next()),
        (ScheduleState::Paused, None)
    );
    assert!(paused.next_firings(10).is_empty());
    let resumed = schedules.resume(&name("nightly")).await.unwrap();
    assert_eq!(resumed.next(), changed.next());
}

#[tokio::test]
async fn schedules_are_listed_and_deleted_without_a_trace() {
    let bed = Bed::new().await;
    let schedules = bed.jobs.schedules();
    let new = bed
        .jobs
        .schedule(ECHO.job(&json!(1)).unwrap())
        .cron("@daily");
    new.create("nightly").await.unwrap();
    let page = schedules.list(0, 10).await.unwrap();
    let names: Vec<&str> = page.schedules.iter().map(|s| s.name().as_str()).collect();
    assert_eq!((names.as_slice(), page.next), (&["nightly"][..], None));
    assert!(schedules.delete(&name("nightly")).await.unwrap());
    assert!(!schedules.delete(&name("nightly")).await.unwrap());
    assert!(schedules.get(&name("nightly")).await.unwrap().is_none());
    let error = schedules.pause(&name("nightly")).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::NotFound);
    assert_eq!(bed.waiting().await, 0, "something of it is left");
}

/// S-17: what is impossible is refused before anything is stored, and says what to write.
#[tokio::test]
async fn an_impossible_schedule_is_refused_with_advice() {
    let bed = Bed::new().await;
    let new = || bed.jobs.schedule(ECHO.job(&json!(1)).unwrap());
    let past = UNIX_EPOCH + SECOND;
    for (new, what) in [
        (new().cron("0 25 * * *"), "the field hour"),
        (new().cron("0 0 30 2 *"), "never fits"),
        (new().cron("@daily").zone("Mars/Olympus"), "IANA"),
        (new().every(Duration::from_millis(1500)), "whole seconds"),
        (new().every(SECOND).repeat(0), "1 or more"),
        (new().every(SECOND).end(past), "never fires"),
        (new(), "a cron expression or an interval"),
        (
            bed.jobs
                .schedule(ECHO.job(&json!(1)).unwrap().delay(SECOND))
                .every(SECOND),
            "ids and times",
        ),
    ] {
        let error = new.create("bad").await.unwrap_err();
        assert_eq!(error.kind(), JobsErrorKind::InvalidSchedule, "{error}");
        assert!(error.to_string().contains(what), "{error}");
    }
    let error = new().every(SECOND).create("a.b").await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::InvalidName);
    assert_eq!(bed.waiting().await, 0);
}

/// AC-15 under fire: changes at the moment of firings neither lose the schedule nor make a second job.
#[tokio::test]
async fn changes_at_the_moment_of_a_firing_lose_nothing() {
    let bed = Bed::new().await;
    let worker = echo_worker(&bed.jobs).await;
    let job = ECHO.job(&json!(1)).unwrap();
    bed.jobs
        .schedule(job)
        .every(SECOND)
        .create("busy")
        .await
        .unwrap();
    let end = std::time::Instant::now() + 5 * SECOND;
    let hammer = |jobs: Jobs, turn: u32| async move {
        let (schedules, busy) = (jobs.schedules(), name("busy"));
        let mut done = turn;
        while std::time::Instant::now() < end {
            let jitter = ScheduleChange::new().jitter(Duration::ZERO);
            match done % 3 {
                0 => drop(schedules.modify(&busy, &jitter).await.unwrap()),
                1 => drop(schedules.pause(&busy).await.unwrap()),
                _ => drop(schedules.resume(&busy).await.unwrap()),
            }
            done += 1;
        }
    };
    let (other, third) = (bed.other(|_| {}).await, bed.other(|_| {}).await);
    tokio::join!(
        hammer(bed.jobs.clone(), 0),
        hammer(other, 1),
        hammer(third, 2)
    );
    let resumed = bed.jobs.schedules().resume(&name("busy")).await.unwrap();
    let before = resumed.runs();
    // It is alive: it goes on to fire, each second once.
    eventually(LONG, async || {
        // After the hail the server may be slow to answer.
        match bed.jobs.schedules().get(&name("busy")).await {
            Ok(Some(seen)) if seen.runs() >= before + 3 => Ok(()),
            seen => Err(seen),
        }
    })
    .await;
    bed.jobs.schedules().pause(&name("busy")).await.unwrap();
    let runs = usize::try_from(find(&bed.jobs, "busy").await.runs()).unwrap();
    eventually_eq(LONG, runs, async || ended(&bed.jobs).await.len()).await;
    let report = worker.stop(LONG).await;
    assert_eq!(
        report.completed,
        u64::try_from(runs).unwrap(),
        "a job was made twice"
    );
}

/// S-07: a firing that nobody was there for is not lost.
#[tokio::test]
async fn what_fires_without_a_worker_runs_when_one_comes() {
    let bed = Bed::new().await;
    let job = ECHO.job(&json!(1)).unwrap();
    bed.jobs
        .schedule(job)
        .every(SECOND)
        .repeat(3)
        .create("early")
        .await
        .unwrap();
    eventually_eq(LONG, 1, async || {
        bed.subjects("naq_jobs", "naq.fire.*").await.len()
    })
    .await;
    let worker = echo_worker(&bed.jobs).await;
    eventually_eq(LONG, 3, async || ended(&bed.jobs).await.len()).await;
    assert!(is_without_gap(
        &instants(&ended(&bed.jobs).await, "early"),
        1
    ));
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_firing_is_left_out_while_the_last_job_runs_if_that_is_wanted() {
    let bed = Bed::new().await;
    let gate = Gate::new();
    let door = gate.clone();
    let slow = bed
        .jobs
        .worker()
        .handle(ECHO, move |_: JobContext, value: Value| {
            let door = door.clone();
            async move {
                door.pass().await;
                Ok::<_, naq_jobs::JobError>(value)
            }
        });
    let worker = slow.start().await.unwrap();
    let job = ECHO.job(&json!(1)).unwrap();
    let new = bed.jobs.schedule(job).every(SECOND).overlap(Overlap::Skip);
    new.create("slow").await.unwrap();
    gate.started(1).await;
    eventually(LONG, async || {
        match find(&bed.jobs, "slow").await.skipped() {
            2.. => Ok(()),
            few => Err(few),
        }
    })
    .await;
    assert_eq!(gate.ever(), 1);
    gate.open(100);
    gate.started(2).await;
    assert_eq!(gate.most(), 1);
    bed.jobs.schedules().delete(&name("slow")).await.unwrap();
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_schedule_can_be_triggered_at_any_time() {
    let bed = Bed::new().await;
    let worker = echo_worker(&bed.jobs).await;
    let job = ECHO.job(&json!("now")).unwrap();
    let new = bed.jobs.schedule(job).cron("0 0 1 1 *").paused();
    let made = new.create("yearly").await.unwrap();
    assert_eq!(made.state(), ScheduleState::Paused);
    let schedules = bed.jobs.schedules();
    let (a, b) = (
        schedules.trigger(&name("yearly")).await.unwrap(),
        schedules.trigger(&name("yearly")).await.unwrap(),
    );
    assert_ne!(a, b);
    for id in [&a, &b] {
        let outcome = bed.jobs.results().wait(id, LONG).await.unwrap();
        assert_eq!(outcome.into_result::<String>().unwrap(), "now");
    }
    let seen = find(&bed.jobs, "yearly").await;
    assert_eq!((seen.state(), seen.runs()), (ScheduleState::Paused, 0));
    assert_eq!(seen.last_run().unwrap().1, b.as_str());
    worker.stop(LONG).await;
}

/// S-19, and foreign messages: nothing of it stops a worker, nothing fires that is no schedule.
#[tokio::test]
async fn broken_records_and_foreign_firings_disturb_nothing() {
    let bed = Bed::new().await;
    let worker = echo_worker(&bed.jobs).await;
    let conn = bed.conn().await;
    let put = |subject: &'static str, body: &'static str| {
        let conn = conn.clone();
        async move {
            conn.publish_acked(subject, HeaderMap::new(), body)
                .await
                .unwrap()
        }
    };
    put("naq.recurring.broken", "{").await;
    put("naq.recurring.newer", r#"{"v":9}"#).await;
    for subject in [
        "naq.fire.broken",
        "naq.fire.newer",
        "naq.fire.unknown",
        "naq.fire.größe",
    ] {
        put(subject, "").await;
    }
    let job = ECHO.job(&json!(1)).unwrap();
    bed.jobs
        .schedule(job)
        .every(SECOND)
        .repeat(1)
        .create("good")
        .await
        .unwrap();
    eventually_eq(LONG, 1, async || ended(&bed.jobs).await.len()).await;
    let schedules = bed.jobs.schedules();
    let page = schedules.list(0, 10).await.unwrap();
    assert_eq!(page.schedules.len(), 1);
    let error = schedules.get(&name("broken")).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::Corrupt);
    assert!(schedules.delete(&name("broken")).await.unwrap());
    assert!(schedules.get(&name("broken")).await.unwrap().is_none());
    // A newer program may be able to read that one.
    eventually_eq(LONG, vec!["naq.fire.newer".to_owned()], async || {
        bed.subjects("naq_jobs", "naq.fire.*").await
    })
    .await;
    worker.stop(LONG).await;
}

/// The instant of the next firing is the server's: it is not before the time that the server had when it was asked.
#[tokio::test]
async fn the_first_firing_is_in_the_future() {
    let bed = Bed::new().await;
    let before = SystemTime::now();
    let job = ECHO.job(&json!(1)).unwrap();
    let start = before + 3600 * SECOND;
    let new = bed
        .jobs
        .schedule(job)
        .every(60 * SECOND)
        .start(start)
        .repeat(2);
    let made = new.create("later").await.unwrap();
    let first = made.next().unwrap();
    assert!(first >= start && first < start + SECOND, "{first:?}");
    assert_eq!(made.next_firings(5).len(), 2);
}
