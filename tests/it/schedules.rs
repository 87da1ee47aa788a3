//! Recurring schedules: what a user sees of them, and that each firing makes one job, whatever happens meanwhile.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::HeaderMap;
use naq_jobs::{
    CatchUp, Dst, Jobs, JobsErrorKind, Overlap, RunningWorker, Schedule, ScheduleChange,
    ScheduleName, ScheduleRule, ScheduleState,
};
use naq_testing::{TestCluster, eventually, eventually_eq};
use serde_json::{Value, json};

use crate::process::{LedgerFile, WORK, WorkerProcess};
use crate::setup::{Bed, ECHO, Gate, LONG, echo};

const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn name(text: &str) -> ScheduleName {
    ScheduleName::new(text).unwrap()
}

async fn echo_worker(jobs: &Jobs) -> RunningWorker {
    jobs.worker().handle(ECHO, echo).start().await.unwrap()
}

/// The ids of all jobs that have ended.
async fn ended(jobs: &Jobs) -> BTreeSet<String> {
    let page = jobs.results().list(0, 1000).await.unwrap();
    page.outcomes.into_iter().map(|o| o.id).collect()
}

/// The instants in the job ids of one schedule, in seconds of their day.
fn instants<'a>(ids: impl IntoIterator<Item = &'a String>, schedule: &str) -> Vec<u64> {
    let prefix = format!("{schedule}-20");
    let of = |id: &String| {
        let time = id.strip_prefix(&prefix)?.split_once('T')?.1;
        let part = |at: usize| time[at..at + 2].parse::<u64>().unwrap();
        Some(part(0) * 3600 + part(2) * 60 + part(4))
    };
    ids.into_iter().filter_map(of).collect()
}

/// Whether each instant comes `step` seconds after the one before, also over midnight.
fn is_without_gap(instants: &[u64], step: u64) -> bool {
    let mut sorted = instants.to_vec();
    sorted.sort_unstable();
    let steps = sorted.windows(2).filter(|two| two[1] - two[0] != step);
    let around = sorted
        .first()
        .zip(sorted.last())
        .is_some_and(|(a, b)| b - a > 80_000);
    steps.count() <= usize::from(around)
}

async fn find(jobs: &Jobs, schedule: &str) -> Schedule {
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
async fn a_schedule_is_shown_changed_paused_resumed_and_deleted() {
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
    eventually(LONG, async || match find(&bed.jobs, "busy").await.runs() {
        runs if runs >= before + 3 => Ok(()),
        runs => Err(runs),
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
    let slow = bed.jobs.worker().handle(ECHO, move |_, value: Value| {
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
    put("naq.recurring.newer", r#"{"v":2}"#).await;
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
    eventually_eq(LONG, Vec::<String>::new(), async || {
        bed.subjects("naq_jobs", "naq.fire.*").await
    })
    .await;
    worker.stop(LONG).await;
}

/// Schedules of all seconds, with every missed firing made up.
async fn steady(jobs: &Jobs, count: usize) -> Vec<String> {
    let mut names = Vec::new();
    for n in 0..count {
        let all = CatchUp::All {
            most: 100,
            within: Duration::from_secs(3600),
        };
        let new = jobs
            .schedule(WORK.job(&1).unwrap())
            .every(SECOND)
            .catch_up(all);
        names.push(format!("steady-{n}"));
        new.create(names[n].as_str()).await.unwrap();
    }
    names
}

/// Waits until each schedule has run `runs` times more, ends them, and says how often each job has ended.
async fn finish(jobs: &Jobs, names: &[String], runs: u64, ledger: &LedgerFile) {
    for schedule in names {
        let before = find(jobs, schedule).await.runs();
        eventually(LONG, async || {
            match jobs.schedules().get(&name(schedule)).await {
                Ok(Some(seen)) if seen.runs() >= before + runs => Ok(()),
                seen => Err(seen.map(|s| s.map(|s| s.runs()))),
            }
        })
        .await;
    }
    let mut total = 0;
    for schedule in names {
        total += jobs
            .schedules()
            .pause(&name(schedule))
            .await
            .unwrap()
            .runs();
    }
    let total = usize::try_from(total).unwrap();
    eventually_eq(LONG, total, async || ledger.ends().len()).await;
    let ends = ledger.ends();
    for schedule in names {
        let found = instants(ends.keys(), schedule);
        assert!(is_without_gap(&found, 1), "{schedule}: {found:?}");
    }
}

/// AC-16, S-01 to S-08: no leader, so none to lose; the server is killed while schedules fire.
#[tokio::test]
async fn each_firing_makes_one_job_over_a_killed_server() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let workers: Vec<_> = (0..2)
        .map(|_| WorkerProcess::start(&bed.server.url(), &ledger, &[]))
        .collect();
    let names = steady(&bed.jobs, 10).await;
    for round in 0..2 {
        eventually(LONG, async || match ledger.ends().len() {
            seen if seen >= 20 * (round + 1) => Ok(()),
            seen => Err(seen),
        })
        .await;
        bed.server.kill().await.unwrap();
        bed.server.start_again().await.unwrap();
    }
    finish(&bed.jobs, &names, 3, &ledger).await;
    assert!(
        ledger.ends().into_values().all(|ends| ends == 1),
        "a job ran twice"
    );
    for worker in workers {
        assert!(worker.terminate().await);
    }
}

/// AC-16: a worker is killed while it handles firings; another one goes on.
#[tokio::test]
async fn each_firing_makes_one_job_over_killed_workers() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let names = steady(&bed.jobs, 10).await;
    for round in 0..3 {
        let victim = WorkerProcess::start(&bed.server.url(), &ledger, &[]);
        eventually(LONG, async || match ledger.ends().len() {
            seen if seen >= 15 * (round + 1) => Ok(()),
            seen => Err(seen),
        })
        .await;
        victim.kill().await;
    }
    let heir = WorkerProcess::start(&bed.server.url(), &ledger, &[]);
    finish(&bed.jobs, &names, 3, &ledger).await;
    assert!(heir.terminate().await);
}

/// AC-16: three copies, and the node that leads the jobs dies.
#[tokio::test]
async fn each_firing_makes_one_job_over_the_loss_of_the_leader() {
    let (cluster, ledger) = (TestCluster::start().await, LedgerFile::new());
    let jobs = Jobs::connect(cluster.settings()).await.unwrap();
    let settings = [("NAQ_REPLICAS", "3"), ("NAQ_REQUEST_TIMEOUT", "2s")];
    let worker = WorkerProcess::start(&cluster.urls().join(","), &ledger, &settings);
    let names = steady(&jobs, 5).await;
    eventually(LONG, async || match ledger.ends().len() {
        10.. => Ok(()),
        few => Err(few),
    })
    .await;
    let leader = crate::crash::leader_of(&jobs, &cluster).await;
    cluster.node(leader).kill().await.unwrap();
    finish_later(&jobs, &names, &ledger).await;
    assert!(worker.terminate().await);
}

/// As [`finish`], once the cluster has a leader again.
async fn finish_later(jobs: &Jobs, names: &[String], ledger: &LedgerFile) {
    eventually(LONG, async || {
        jobs.schedules().get(&name(&names[0])).await.map(drop)
    })
    .await;
    finish(jobs, names, 3, ledger).await;
}

/// A library that moves the clock of the process into which it is loaded, as a host with a wrong clock would have it.
const SKEW: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(id, at);
    const char *skew = getenv("IT_SKEW");
    if (done == 0 && id == CLOCK_REALTIME && skew) at->tv_sec += atol(skew);
    return done;
}
"#;

/// Compiles [`SKEW`].
fn skewing_library(directory: &std::path::Path) -> String {
    let (source, library) = (directory.join("skew.c"), directory.join("skew.so"));
    std::fs::write(&source, SKEW).unwrap();
    let compiled = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status()
        .unwrap();
    assert!(compiled.success());
    library.to_str().unwrap().to_owned()
}

/// AC-16, S-05: workers whose clocks are wrong by minutes make the same jobs at the same times.
#[tokio::test]
async fn clocks_of_workers_that_are_wrong_by_minutes_change_nothing() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let directory = tempfile::tempdir().unwrap();
    let library = skewing_library(directory.path());
    let start = |skew| {
        let settings = [("LD_PRELOAD", library.as_str()), ("IT_SKEW", skew)];
        WorkerProcess::start(&bed.server.url(), &ledger, &settings)
    };
    let (ahead, behind) = (start("420"), start("-420"));
    let names = steady(&bed.jobs, 4).await;
    finish(&bed.jobs, &names, 5, &ledger).await;
    // The outcomes show that the clocks were wrong indeed, and the instants that this did not matter.
    let outcomes = bed.jobs.results().list(0, 1000).await.unwrap().outcomes;
    for outcome in outcomes {
        let second = instants([&outcome.id], outcome.id.split("-20").next().unwrap())[0];
        let started = outcome.started_at_ms / 1000 % 86_400;
        let skew = started
            .abs_diff(second)
            .min(86_400 - started.abs_diff(second));
        assert!((360..480).contains(&skew), "{outcome:?}");
    }
    let (last, _) = find(&bed.jobs, &names[0])
        .await
        .last_run()
        .map(|(at, id)| (at, id.to_owned()))
        .unwrap();
    let passed = SystemTime::now().duration_since(last).unwrap();
    assert!(passed < LONG, "the last firing was {passed:?} ago");
    assert!(ahead.terminate().await && behind.terminate().await);
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
