//! `naq job cancel`, `watch` and `logs`, and the old `naq job-control`.

use naq::{JobContext, JobError, Jobs, Kind, RunningWorker, Settings};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::runtime::Runtime;

use super::command::{Dev, eventually};
use super::processes::{below, runs};

const SLEEP: &str = "workers:\n  handlers:\n    sleep:\n      command: [sleep, \"60\"]\n";

/// Tells how far it is, and ends as its payload says.
const TELL: Kind<bool, Value> = Kind::new("tell");

/// A worker of this process.
async fn teller(url: &str) -> (Jobs, RunningWorker) {
    let mut settings = Settings::default();
    settings.nats.servers = vec![url.to_owned()];
    let jobs = Jobs::connect(settings).await.unwrap();
    let worker = jobs
        .worker()
        .handle(TELL, async |job: JobContext, ends_well: bool| {
            job.log(naq::Level::WARN, "the first line");
            job.partial(&json!({ "page": 1 }));
            job.progress(2, 2).message("all pages");
            if ends_well {
                Ok(json!("done"))
            } else {
                Err(JobError::message("no paper"))
            }
        });
    let worker = worker.start().await.unwrap();
    (jobs, worker)
}

#[test]
fn a_cancelled_job_says_where_it_was_and_its_program_is_gone() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    dev.naq(&["enqueue", "sleep", "--id", "waits"])
        .ended_with(0);
    let said = dev
        .naq(&["job", "cancel", "waits", "--reason", "not needed"])
        .ended_with(0);
    assert_eq!(said.out, "waits is cancelled: it was waiting\n");
    let said = dev.naq(&["result", "waits"]).ended_with(5);
    assert!(said.err.contains("not needed"), "{said:?}");
    let again = dev.naq(&["job-control", "waits", "cancel"]).ended_with(0);
    assert_eq!(again.out, "waits was cancelled before\n");
    dev.naq(&["job", "cancel", "nobody"]).ended_with(7);

    let worker = dev.worker(SLEEP);
    dev.naq(&["enqueue", "sleep", "--id", "runs"]).ended_with(0);
    eventually("the program runs", || !below(worker.id()).is_empty());
    let programs = below(worker.id());
    let said = dev.naq(&["job", "cancel", "runs", "--grace", "50ms", "--json"]);
    let said = said.ended_with(0).json();
    assert_eq!(
        (&said["was"], &said["attempt"]),
        (&json!("running"), &json!(1)),
        "{said}"
    );
    eventually("the program is gone", || {
        !programs.iter().any(|pid| runs(*pid))
    });
    let said = worker.stop(Signal::TERM).ended_with(0);
    assert!(said.err.contains("0 completed, 0 failed"), "{said:?}");
    assert_eq!(
        dev.naq(&["dead", "list", "--json"]).json()["dead_letters"],
        json!([])
    );
}

#[test]
fn what_a_job_says_is_shown_with_its_end_and_the_exit_code_tells_it() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let runtime = Runtime::new().unwrap();
    let (jobs, worker) = runtime.block_on(teller(&dev.url));
    dev.naq(&["enqueue", "tell", "true", "--id", "good"])
        .ended_with(0);
    let said = dev
        .naq(&["job", "watch", "good", "--timeout", "30s"])
        .ended_with(0);
    assert_eq!(said.out, "{\"page\":1}\n\"done\"\n");
    assert!(said.err.contains("2/2 all pages"), "{said:?}");
    assert!(said.err.contains("warn  the first line"), "{said:?}");

    dev.naq(&["enqueue", "tell", "false", "--id", "bad"])
        .ended_with(0);
    let said = dev.naq(&["job", "watch", "bad", "--json"]).ended_with(5);
    let lines = said
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let lines: Vec<Value> = lines.collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(
        lines
            .iter()
            .filter(|line| line["log"]["level"] == "warn")
            .count(),
        1
    );
    assert_eq!(lines.last().unwrap()["end"]["error"]["message"], "no paper");

    let said = dev.naq(&["job", "logs", "bad"]).ended_with(0);
    assert_eq!(said.out, "warn  the first line\n");
    let late = dev
        .naq(&["job", "watch", "nobody", "--timeout", "100ms"])
        .ended_with(6);
    assert!(late.err.contains("naq explain"), "{late:?}");
    runtime.block_on(async {
        worker.stop(std::time::Duration::from_secs(10)).await;
        jobs.shutdown().await;
    });
}

#[test]
fn the_old_form_controls_jobs_dead_letters_and_schedules() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let control = |words: &[&str]| {
        let line: Vec<&str> = [&["job-control"], words].concat();
        dev.naq(&line)
    };
    let nightly = ["schedule", "create", "nightly", "--cron", "@daily", "sleep"];
    dev.naq(&nightly).ended_with(0);
    let schedule = || dev.naq(&["schedule", "show", "nightly", "--json"]).json();
    control(&["nightly", "pause"]).ended_with(0);
    assert_eq!(schedule()["state"], "paused");
    control(&["nightly", "resume"]).ended_with(0);
    let changed = ["nightly", "reschedule", "--interval", "2h", "--repeat", "5"];
    let said = control(&[&changed[..], &["--json"]].concat())
        .ended_with(0)
        .json();
    assert_eq!(said["id"], "nightly");
    assert_eq!(schedule()["state"], "active");
    assert!(schedule()["every_s"] == json!(7200), "{}", schedule());
    let said = control(&["nightly", "reschedule"]).ended_with(2);
    assert!(said.err.contains("--next-run"), "{said:?}");
    control(&["nightly", "pause", "--cron", "@daily"]).ended_with(2);
    control(&["nightly", "cancel"]).ended_with(0);
    let said = control(&["nightly", "resume"]).ended_with(7);
    assert!(said.err.contains("naq schedule list"), "{said:?}");

    dev.naq(&["enqueue", "sleep", "--id", "waits", "--delay", "1h"])
        .ended_with(0);
    let said = control(&["waits", "pause"]).ended_with(7);
    assert!(said.err.contains("naq kind pause"), "{said:?}");
    control(&["waits", "delete"]).ended_with(0);
    control(&["waits", "delete"]).ended_with(7);

    let worker = dev.worker("workers:\n  handlers:\n    fail:\n      command: [\"false\"]\n");
    let failed = ["enqueue", "fail", "--id", "dead", "--wait=30s"];
    dev.naq(&failed).ended_with(5);
    worker.stop(Signal::TERM).ended_with(0);
    control(&["dead", "requeue"]).ended_with(0);
    let status = dev.naq(&["job", "status", "dead"]).out;
    assert_eq!(status, "pending\n");
    control(&["dead", "cancel"]).ended_with(0);
}
