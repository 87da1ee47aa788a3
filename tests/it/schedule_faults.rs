//! Recurring schedules while servers and workers die, and clocks are wrong: each firing makes one job.

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use naq_jobs::{CatchUp, Jobs};
use naq_testing::{TestCluster, eventually, eventually_eq};

use crate::process::{Entry, LedgerFile, WORK, WorkerProcess};
use crate::schedules::{SECOND, find, instants, is_without_gap, name};
use crate::setup::{Bed, LONG};

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

/// Microseconds since 1970.
fn micros() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_micros()).unwrap()
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
    let mut kills = Vec::new();
    for round in 0..2 {
        eventually(LONG, async || match ledger.ends().len() {
            seen if seen >= 20 * (round + 1) => Ok(()),
            seen => Err(seen),
        })
        .await;
        let before = micros();
        bed.server.kill().await.unwrap();
        bed.server.start_again().await.unwrap();
        kills.push(before..micros());
    }
    finish(&bed.jobs, &names, 3, &ledger).await;
    // Made once. What had not settled when the server died is delivered again, as if it were the first time, and runs again.
    let entries = ledger.entries();
    for (n, first) in entries.iter().enumerate() {
        let is_again =
            |it: &&Entry| it.what == "start" && first.what == "start" && it.id == first.id;
        if let Some(again) = entries[n + 1..].iter().find(is_again) {
            let is_cut = |kill: &Range<u64>| first.at < kill.end && again.at > kill.start;
            assert!(kills.iter().any(is_cut), "{first:?} {again:?} {kills:?}");
        }
    }
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
