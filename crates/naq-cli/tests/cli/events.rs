//! `naq events` against a server, as a person would use it.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc::channel;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::tempdir;

use super::command::{Dev, eventually, signal};

const HANDLERS: &str = r#"
workers:
  handlers:
    greet:
      command: [bash, -c, 'read -r name; echo "{\"hello\": $name}"']
    break:
      command: [bash, -c, 'echo no route >&2; exit 65']
"#;

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn types(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect()
}

/// One job that completes and one that fails, both told.
fn two_jobs(dev: &Dev) {
    let worker = dev.worker(HANDLERS);
    let good = ["enqueue", "greet", "\"Ada\"", "--id", "good", "--wait"];
    dev.naq(&good).ended_with(0);
    let bad = dev.naq(&["enqueue", "break", "1", "--id", "bad", "--wait"]);
    assert_ne!(bad.code, Some(0));
    // Its end sends what it has told.
    assert_eq!(worker.stop(Signal::TERM).code, Some(0));
}

#[test]
fn workers_tell_of_themselves() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    two_jobs(&dev);
    let told = |flags: &[&str]| {
        let ask = ["worker", "events", "--no-follow", "--format", "json"];
        let said = dev.naq(&[&ask, flags].concat()).ended_with(0);
        lines(&said.out)
    };
    let all = told(&[]);
    let first = types(&all)[0];
    assert_eq!(first, "worker_started", "{all:?}");
    assert_eq!(types(&all).last(), Some(&"worker_stopped"), "{all:?}");
    assert!(types(&all).iter().all(|t| t.starts_with("worker_")));
    let id = all[0]["worker"].as_str().unwrap();
    assert_eq!(told(&["-w", id]).len(), all.len());
    assert_eq!(told(&["-w", "another"]).len(), 0);
    let table = dev.naq(&["worker", "events", "--no-follow"]).ended_with(0);
    assert!(table.out.contains("worker_stopped"), "{table:?}");
    // Again and again until it is told to end.
    let ask = [
        "events",
        "workers",
        "--refresh",
        "1",
        "--show-inactive",
        "-f",
        "json",
    ];
    let mut watch = dev.command(&ask);
    let mut watch = watch.stdout(Stdio::piped()).spawn().unwrap();
    let shown = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut tables = shown
        .map(Result::unwrap)
        .filter(|line| line.contains("worker_id"));
    assert_eq!(tables.by_ref().take(2).count(), 2);
    signal(&watch, Signal::INT);
    assert!(watch.wait().unwrap().success());
}

/// AC-32 from the command line.
#[test]
fn the_life_of_a_job_is_shown() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let missing = dev.naq(&["events", "history", "nobody"]).ended_with(7);
    assert!(
        missing.err.contains("no events of job nobody"),
        "{missing:?}"
    );
    two_jobs(&dev);
    let history = |id: &str| {
        let said = dev.naq(&["events", "history", id, "--format", "json"]);
        lines(&said.ended_with(0).out)
    };
    assert_eq!(
        types(&history("good")),
        ["enqueued", "started", "completed"]
    );
    let bad = history("bad");
    assert_eq!(
        types(&bad),
        ["enqueued", "started", "failed", "dead_lettered"]
    );
    assert_eq!(
        (&bad[2]["reason"], &bad[2]["kind"]),
        (&"fatal".into(), &"break".into())
    );
    let said = dev
        .naq(&["events", "history", "bad", "--limit", "2"])
        .ended_with(0);
    assert!(
        said.out.contains("failed") && !said.out.contains("enqueued"),
        "{said:?}"
    );
    assert!(said.err.contains("2 before that"), "{said:?}");
}

/// AC-32 from the command line, E-11.
#[test]
fn what_has_happened_is_counted_and_replayed() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    two_jobs(&dev);
    let stats = dev
        .naq(&["events", "stats", "--by-kind", "--json"])
        .ended_with(0)
        .json();
    let rows = stats["rows"].as_array().unwrap();
    let greet = rows.iter().find(|row| row["kind"] == "greet");
    assert_eq!(greet.unwrap()["counts"]["completed"], 1, "{stats}");
    let said = dev
        .naq(&["events", "stats", "--hours", "2", "--by-queue"])
        .ended_with(0);
    let is_there = |text| said.out.contains(text);
    assert!(
        is_there("COMPLETED") && is_there("naq_default_queue"),
        "{said:?}"
    );

    let replay = [
        "events",
        "replay",
        "--since",
        "10m",
        "--type",
        "failed,completed",
    ];
    let said = dev
        .naq(&[&replay[..], &["--format", "raw"]].concat())
        .ended_with(0);
    assert_eq!(said.out.lines().count(), 2, "{said:?}");
    assert_eq!(
        said.out.lines().last().unwrap().split('\t').nth(5),
        Some("bad")
    );
    let none = dev.naq(&["events", "replay", "--until", "2020-01-01T00:00:00Z"]);
    assert_eq!(none.ended_with(0).out, "");

    let recent = [
        "events",
        "tail",
        "--no-follow",
        "--tail",
        "1",
        "--kind",
        "greet",
        "-f",
        "json",
    ];
    let said = dev.naq(&recent).ended_with(0);
    assert_eq!(types(&lines(&said.out)), ["completed"]);
    let workers = ["events", "workers", "--show-inactive", "--format", "json"];
    let workers = dev.naq(&workers).ended_with(0).json();
    let rows = workers["workers"].as_array().unwrap();
    assert_eq!(
        (rows.len(), &rows[0]["completed"], &rows[0]["failed"]),
        (1, &1.into(), &1.into())
    );
}

/// AC-32, E-10: a stream that filters, and ends well.
#[test]
fn a_tail_shows_what_comes_and_ends_with_ctrl_c() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let follow = [
        "events", "stream", "--queue", "mail", "--format", "json", "--tail", "0",
    ];
    let mut child = dev.command(&follow).stdout(Stdio::piped()).spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let (tell, told) = channel();
    let reader = std::thread::spawn(move || {
        for line in out.lines() {
            tell.send(line.unwrap()).unwrap();
        }
    });
    // What is told before it listens is not shown, so it is told again.
    let mut first = None;
    eventually("the tail shows an event", || {
        dev.naq(&["enqueue", "greet", "1", "--queue", "other"])
            .ended_with(0);
        dev.naq(&["enqueue", "greet", "2", "--queue", "mail"])
            .ended_with(0);
        first = told.try_recv().ok();
        first.is_some()
    });
    let event: Value = serde_json::from_str(&first.unwrap()).unwrap();
    assert_eq!(
        (&event["queue"], &event["type"]),
        (&"mail".into(), &"enqueued".into())
    );
    signal(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let others = told.iter().filter(|line| !line.contains("mail"));
    assert_eq!(others.count(), 0);
    reader.join().unwrap();
}

#[test]
fn a_wrong_filter_is_said_to_be_one() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let said = dev
        .naq(&["events", "tail", "--type", "finished"])
        .ended_with(2);
    assert!(
        said.err.contains("no type of event; there are enqueued"),
        "{said:?}"
    );
    let said = dev
        .naq(&["events", "replay", "--since", "soon"])
        .ended_with(2);
    assert!(said.err.contains("how long ago"), "{said:?}");
    let said = dev
        .naq(&["events", "tail", "--no-follow", "--worker", "a>"])
        .ended_with(2);
    assert!(said.err.contains("no name of a queue"), "{said:?}");
}
