//! `naq schedule` against a server, as a person would use it.

use rustix::process::Signal;
use serde_json::json;
use tempfile::tempdir;

use super::command::{Dev, Said, eventually};

const HANDLERS: &str = r#"
workers:
  handlers:
    greet:
      command: [bash, -c, 'read -r name; echo "{\"hello\": $name}"']
"#;

/// Creates the schedule `morning`.
fn create_morning(dev: &Dev) -> Said {
    let rule = [
        "--cron",
        "30 2 * * *",
        "--zone",
        "Europe/Amsterdam",
        "--dst",
        "twice",
    ];
    let create = [
        "schedule", "create", "morning", "greet", "\"Ada\"", "--queue", "mail",
    ];
    dev.naq(&[&create[..], &rule].concat())
}

#[test]
fn a_schedule_is_created_once_and_shown_with_its_next_firings() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let said = create_morning(&dev).ended_with(0);
    assert!(
        said.out.starts_with("morning is created; next: 20"),
        "{said:?}"
    );
    let said = create_morning(&dev).ended_with(2);
    assert!(said.err.contains("modify or delete it"), "{said:?}");
    let show = ["schedule", "show", "morning", "--json"];
    let shown = dev.naq(&show).ended_with(0).json();
    assert_eq!(
        (&shown["cron"], &shown["dst"]),
        (&json!("30 2 * * *"), &json!("twice"))
    );
    assert_eq!(
        (&shown["kind"], &shown["queue"]),
        (&json!("greet"), &json!("mail"))
    );
    assert_eq!(shown["firings"].as_array().unwrap().len(), 10);
    assert_eq!(shown["firings"][0]["at"], shown["next"]);
    // Within a year from any day, both changes of the clocks are marked.
    let year = ["schedule", "show", "morning", "-n", "367"];
    let said = dev.naq(&year).ended_with(0);
    let is_marked = |mark| said.out.contains(mark);
    assert!(
        is_marked("made up") && is_marked("second of two passes"),
        "{said:?}"
    );
}

/// AC-15 from the command line.
#[test]
fn a_schedule_is_changed_listed_and_deleted() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    create_morning(&dev).ended_with(0);
    let modify = [
        "schedule",
        "modify",
        "morning",
        "--every",
        "90s",
        "--overlap",
        "skip",
        "--json",
    ];
    let changed = dev.naq(&modify).ended_with(0).json();
    assert_eq!(
        (&changed["every_s"], &changed["overlap"]),
        (&json!(90), &json!("skip"))
    );
    dev.naq(&["schedule", "modify", "morning"]).ended_with(2);
    dev.naq(&["schedule", "pause", "morning"]).ended_with(0);
    for list in [
        &["schedule", "list"][..],
        &["list-scheduled", "--status", "paused"],
    ] {
        let said = dev.naq(list).ended_with(0);
        assert!(
            said.out.contains("morning") && said.out.contains("paused"),
            "{said:?}"
        );
    }
    let said = dev.naq(&["scheduler", "start", "-p", "1.0"]).ended_with(2);
    assert!(said.err.contains("`naq worker`"), "{said:?}");
    let one = dev
        .naq(&["list-scheduled", "--job-id", "morning", "-d"])
        .ended_with(0);
    for column in ["LAST JOB", "OVERLAP", "skip"] {
        assert!(one.out.contains(column), "{column}: {one:?}");
    }
    let one = dev.naq(&["list-scheduled", "-j", "morning", "--json"]);
    assert_eq!(one.json()["schedules"][0]["name"], "morning");
    let one = dev.naq(&["list-scheduled", "-j", "evening", "--json"]);
    assert_eq!(one.json()["schedules"], json!([]));
    let active = ["schedule", "list", "--status", "active", "--json"];
    assert_eq!(dev.naq(&active).json()["schedules"], json!([]));
    let said = dev.naq(&["schedule", "resume", "morning"]).ended_with(0);
    assert!(said.out.contains("morning is active"), "{said:?}");
    dev.naq(&["schedule", "cancel", "morning"]).ended_with(0);
    for action in ["show", "pause", "resume", "trigger", "delete"] {
        let said = dev.naq(&["schedule", action, "morning"]).ended_with(7);
        assert!(said.err.contains("naq schedule list"), "{said:?}");
    }
}

#[test]
fn a_schedule_makes_jobs_by_itself_and_when_it_is_triggered() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let worker = dev.worker(HANDLERS);
    let create = [
        "schedule", "create", "often", "greet", "\"Bob\"", "--every", "1s", "--repeat", "2",
    ];
    dev.naq(&create).ended_with(0);
    let shown = || {
        dev.naq(&["schedule", "show", "often", "--json"])
            .ended_with(0)
            .json()
    };
    eventually("both runs are made", || shown()["state"] == "finished");
    let done = shown();
    assert_eq!((&done["runs"], &done["remaining"]), (&json!(2), &json!(0)));
    let last = done["last"]["job_id"].as_str().unwrap().to_owned();
    let wait = ["result", &last, "--wait", "--timeout", "30s"];
    assert_eq!(dev.naq(&wait).ended_with(0).json()["hello"], "Bob");
    let id = dev.naq(&["schedule", "trigger", "often"]).ended_with(0).out;
    let wait = ["result", id.trim(), "--wait", "--timeout", "30s"];
    assert_eq!(dev.naq(&wait).ended_with(0).json()["hello"], "Bob");
    worker.stop(Signal::TERM).ended_with(0);
}

#[test]
fn a_schedule_takes_what_a_job_takes_and_says_why_it_does_not_fire() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let create = [
        "schedule", "create", "tick", "greet", "\"Eve\"", "--queue", "mail", "--every", "250ms",
    ];
    let flags = [
        "--overlap",
        "queue",
        "--priority",
        "high",
        "--limit-key",
        "tenant-7",
        "--header",
        "X-From=cron",
        "--expires-in",
        "1h",
        "--paused",
    ];
    dev.naq(&[&create[..], &flags].concat()).ended_with(0);
    let shown = dev.naq(&["schedule", "show", "tick", "--json"]).json();
    assert_eq!(
        (&shown["every_s"], &shown["overlap"], &shown["priority"]),
        (&json!(0.25), &json!("queue"), &json!("high"))
    );
    assert_eq!(shown["headers"]["Naq-Limit-Key"], json!(["tenant-7"]));
    assert_eq!(shown["headers"]["X-From"], json!(["cron"]));
    let said = dev.naq(&["explain", "tick"]).ended_with(0);
    assert!(
        said.out.contains("every 250ms") && said.out.contains("naq schedule resume tick"),
        "{said:?}"
    );
    dev.naq(&["schedule", "resume", "tick"]).ended_with(0);
    let explained = dev.naq(&["explain", "tick", "--json"]).ended_with(0).json();
    assert_eq!(explained["schedule"], "tick");
    assert_eq!(explained["reasons"][0]["reason"], "nobody_serves");
    let said = dev.naq(&["schedule", "show", "tick"]).ended_with(0);
    assert!(
        said.err.contains("no worker serves the queue mail"),
        "{said:?}"
    );
    let parts = said
        .out
        .lines()
        .filter(|line| line.contains(".25 ") || line.contains(".75 "));
    assert_eq!(
        parts.count(),
        5,
        "each second of ten firings, in parts of a second: {said:?}"
    );
    dev.naq(&["explain", "nothing"]).ended_with(7);
    let short = [
        "schedule", "create", "short", "greet", "1", "--every", "49ms",
    ];
    let said = dev.naq(&short).ended_with(2);
    assert!(
        said.err.contains("50 to 999 whole milliseconds"),
        "{said:?}"
    );
}
