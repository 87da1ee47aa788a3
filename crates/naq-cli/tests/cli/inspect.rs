//! Looking at jobs, queues and dead letters from a shell.

use std::process::Stdio;

use rustix::process::Signal;
use serde_json::json;
use tempfile::tempdir;

use super::command::{Dev, Said, eventually, run};

const HANDLERS: &str = r#"
workers:
  concurrency: 1
  handlers:
    greet:
      command: [bash, -c, 'read -r name; echo "{\"hello\": $name}"']
    check:
      command: [bash, -c, 'read -r n; [ "$n" = 7 ] || { echo "no user \"$n\" in row $RANDOM" >&2; exit 1; }; echo 1']
    sleep:
      command: [sleep, "60"]
"#;

/// The states of the jobs of `mail`, and whether there are more.
fn listed(dev: &Dev, flags: &[&str]) -> (Vec<String>, bool) {
    let args = [&["job", "list", "-q", "mail", "--json"], flags].concat();
    let list = dev.naq(&args).ended_with(0).json();
    let jobs = list["jobs"].as_array().unwrap();
    let states = jobs
        .iter()
        .map(|job| job["state"].as_str().unwrap().to_owned());
    (states.collect(), list["more"] == json!(true))
}

/// AC-31.
#[test]
fn queues_are_listed_shown_and_purged() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    for n in 0..3 {
        dev.naq(&[
            "enqueue",
            "greet",
            "1",
            "--queue",
            "mail",
            "--id",
            &format!("m{n}"),
        ])
        .ended_with(0);
    }
    dev.naq(&["enqueue", "greet", "1", "--queue", "mail", "--delay", "1h"])
        .ended_with(0);
    let mail = dev
        .naq(&["queue", "show", "mail", "--json"])
        .ended_with(0)
        .json();
    assert_eq!(
        (&mail["waiting"], &mail["scheduled"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(mail["state"], json!("no workers"));
    let none_runs = json!([0, { "limit": 0, "kind": 0, "job": 0 }]);
    assert_eq!(json!([mail["running"], mail["parked_for"]]), none_runs);
    let table = dev.naq(&["queue", "list"]).ended_with(0).out;
    assert!(
        table.contains("IN FLIGHT  RUNNING") && table.contains("no workers"),
        "{table}"
    );
    let of = |states: &[&str]| states.iter().map(|&state| state.to_owned()).collect();
    assert_eq!(listed(&dev, &["-n", "2"]), (of(&["queued"; 2]), true));
    let all = ["queued", "queued", "queued", "scheduled"];
    assert_eq!(listed(&dev, &[]), (of(&all), false));
    assert_eq!(
        listed(&dev, &["-s", "scheduled"]),
        (of(&["scheduled"]), false)
    );
    let dry = dev.naq(&[
        "purge",
        "mail",
        "other",
        "--dry-run",
        "--scheduled",
        "--json",
    ]);
    assert_eq!(dry.ended_with(0).json()["purged"], json!(4));
    dev.naq(&["job", "delete", "m0"]).ended_with(0);
    dev.naq(&["job", "delete", "m0"]).ended_with(7);
    let done = dev
        .naq(&["queue", "purge", "mail", "--json"])
        .ended_with(0)
        .json();
    assert_eq!(
        (&done["purged"], &done["dry_run"]),
        (&json!(2), &json!(false))
    );
    dev.naq(&["purge"]).ended_with(2);
}

#[test]
fn a_job_that_does_not_run_is_explained() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let explained = |id: &str| {
        let said = dev.naq(&["explain", id, "--json"]).json();
        said["reasons"][0]["reason"].as_str().unwrap().to_owned()
    };
    dev.naq(&["enqueue", "sleep", "--id", "a"]).ended_with(0);
    let said = dev.naq(&["explain", "a"]).ended_with(0).out;
    assert!(
        said.contains("no worker serves the queue naq_default_queue"),
        "{said}"
    );
    assert!(said.contains("naq worker naq_default_queue"), "{said}");
    let worker = dev.worker(HANDLERS);
    eventually("it runs", || explained("a") == "runs");
    dev.naq(&["enqueue", "greet", "1", "--id", "b"])
        .ended_with(0);
    eventually("all are busy", || explained("b") == "all_busy");
    let limit = ["queue", "limit", "naq_default_queue"];
    dev.naq(&[&limit[..], &["--running", "1"]].concat())
        .ended_with(0);
    assert_eq!(explained("b"), "queue_limited");
    let said = dev.naq(&["explain", "b"]).ended_with(0).out;
    assert!(
        said.contains("the queue naq_default_queue is limited to 1 running job(s): a on "),
        "{said}"
    );
    assert!(said.contains("naq queue limit naq_default_queue"), "{said}");
    dev.naq(&[&limit[..], &["--clear"]].concat()).ended_with(0);
    assert_eq!(explained("b"), "all_busy");
    dev.naq(&["enqueue", "greet", "1", "--id", "c", "--in", "1h"])
        .ended_with(0);
    assert_eq!(explained("c"), "not_due");
    assert_eq!(
        dev.naq(&["job", "status", "c"]).ended_with(0).out,
        "scheduled\n"
    );
    let said = dev.naq(&["explain", "never-was"]).ended_with(7);
    assert!(said.out.contains("nothing is known of it"), "{said:?}");
    worker.stop(Signal::INT);
}

#[test]
fn dead_letters_are_grouped_edited_and_retried_together() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let worker = dev.worker(HANDLERS);
    for n in 0..3 {
        dev.naq(&[
            "enqueue",
            "check",
            &n.to_string(),
            "--id",
            &format!("c{n}"),
            "--wait=30s",
        ])
        .ended_with(5);
    }
    let groups = dev.naq(&["dead", "groups", "--json"]).ended_with(0).json();
    assert_eq!(groups["groups"].as_array().unwrap().len(), 1, "{groups}");
    assert_eq!(groups["groups"][0]["count"], json!(3));
    let group = groups["groups"][0]["group"].as_str().unwrap();
    let table = dev.naq(&["dead", "groups"]).ended_with(0).out;
    assert!(table.contains("no user <text> in row <n>"), "{table}");
    correct(&dev);
    let dry = [
        "dead",
        "retry",
        "--all",
        "--group",
        group,
        "--dry-run",
        "--json",
    ];
    assert_eq!(dev.naq(&dry).ended_with(0).json()["matched"], json!(3));
    let all = ["dead", "retry", "--all", "--group", group, "--json"];
    assert_eq!(dev.naq(&all).ended_with(0).json()["done"], json!(3));
    eventually("two of them complete and one is dead again", || {
        let done = dev
            .naq(&["result", "list", "--status", "completed", "--json"])
            .json();
        let dead = dev.naq(&["dead", "list", "--json"]).json();
        done["results"].as_array().unwrap().len() == 2 && dead["dead_letters"][0]["id"] == "c2"
    });
    dev.naq(&["dead", "purge"]).ended_with(2);
    let purged = ["dead", "purge", "--kind", "check", "--json"];
    assert_eq!(dev.naq(&purged).ended_with(0).json()["done"], json!(1));
    let purged = ["result", "purge", "--status", "completed", "--json"];
    assert_eq!(dev.naq(&purged).ended_with(0).json()["purged"], json!(2));
    dev.naq(&["result", "delete", "c0"]).ended_with(7);
    worker.stop(Signal::TERM).ended_with(0);
}

/// Gives two of the three jobs a payload with which they complete.
fn correct(dev: &Dev) {
    dev.naq(&["dead", "edit", "c0", "{broken"]).ended_with(2);
    dev.naq(&["dead", "edit", "c0", "7"]).ended_with(0);
    // The editor gets the payload as it is.
    let edit = |id: &str, script: &str| {
        let mut command = dev.command(&["dead", "edit", id, "--json"]);
        Said::of(
            command
                .env("EDITOR", script)
                .env_remove("VISUAL")
                .output()
                .unwrap(),
        )
    };
    let said = edit("c1", "sed -i s/1/7/").ended_with(0).json();
    assert_eq!(said["changed"], json!(true));
    assert_eq!(
        edit("c2", "true").ended_with(0).json()["changed"],
        json!(false)
    );
    let kept = edit("c2", "sed -i s/2/{/").ended_with(2);
    assert!(kept.err.contains("it is kept"), "{kept:?}");
}

#[test]
fn the_live_view_prints_one_frame_and_refuses_what_is_no_terminal() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let worker = dev.worker(HANDLERS);
    dev.naq(&["enqueue", "check", "1", "--wait=30s"])
        .ended_with(5);
    dev.naq(&["enqueue", "sleep", "--id", "long"]).ended_with(0);
    eventually(
        "the frame shows the worker with its job, and the failure",
        || {
            let frame = dev.naq(&["top", "--once"]).ended_with(0).out;
            assert!(!frame.contains('\u{1b}'), "{frame}");
            frame.contains("sleep long") && frame.contains("1/1") && frame.contains("no user")
        },
    );
    let seen = dev.naq(&["top", "--json"]).ended_with(0).json();
    assert_eq!(seen["workers"][0]["running"][0]["job_id"], json!("long"));
    assert_eq!(seen["failures"][0]["kind"], json!("check"));
    let mut live = dev.command(&["top"]);
    let refused = Said::of(live.stdin(Stdio::null()).output().unwrap()).ended_with(2);
    assert!(refused.err.contains("--once"), "{refused:?}");
    worker.stop(Signal::INT);
    run(dir.path(), &["top", "--once", "-u", "nats://127.0.0.1:1"]).ended_with(4);
}
