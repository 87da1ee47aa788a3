//! What an operator changes from a shell while a worker runs.

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::tempdir;

use super::command::{Dev, eventually};

const HANDLERS: &str = r#"
workers:
  concurrency: 3
  heartbeat_interval: 500ms
  handlers:
    greet:
      command: [bash, -c, 'read -r name; echo "{\"hello\": $name}"']
    other:
      command: ["true"]
"#;

const QUEUE: &str = "naq_default_queue";

/// The one worker.
fn worker(dev: &Dev) -> Value {
    let listed = dev.naq(&["worker", "list", "--json"]).ended_with(0).json();
    listed["workers"][0].clone()
}

#[test]
fn a_queue_and_a_kind_are_paused_and_resumed() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let _worker = dev.worker(HANDLERS);
    let pause = ["queue", "pause", QUEUE, "--reason", "relay down", "--json"];
    let set = dev.naq(&pause).ended_with(0).json();
    assert_eq!(
        (&set["queue"], &set["paused"]["reason"]),
        (&json!(QUEUE), &json!("relay down"))
    );
    let said = dev.naq(&["queue", "limit", QUEUE]).ended_with(0);
    assert!(said.out.contains("paused: yes (relay down)"), "{said:?}");
    let waits = ["enqueue", "greet", "1", "--id", "first", "--wait=1s"];
    dev.naq(&waits).ended_with(6);
    let said = dev.naq(&["queue", "resume", QUEUE]).ended_with(0);
    assert!(said.out.contains("is not paused"), "{said:?}");
    dev.naq(&["result", "first", "--wait", "--timeout", "30s"])
        .ended_with(0);

    dev.naq(&["kind", "pause", "greet", "--reason", "API"])
        .ended_with(0);
    let said = dev.naq(&["kind", "list"]).ended_with(0);
    assert!(
        said.out.contains("greet") && said.out.contains("API"),
        "{said:?}"
    );
    dev.naq(&["enqueue", "greet", "2", "--id", "second", "--wait=1s"])
        .ended_with(6);
    // Others of the same queue go on.
    dev.naq(&["enqueue", "other", "--wait=30s"]).ended_with(0);
    let resumed = dev
        .naq(&["kind", "resume", "greet", "--json"])
        .ended_with(0)
        .json();
    assert_eq!(resumed["kind"], "greet");
    dev.naq(&["result", "second", "--wait", "--timeout", "30s"])
        .ended_with(0);
    let kinds = dev.naq(&["kind", "list", "--json"]).ended_with(0).json();
    assert_eq!(kinds, json!({ "kinds": [] }));
}

#[test]
fn the_jobs_of_a_kind_are_limited() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let limit = |most: &str| dev.naq(&["kind", "limit", "greet", "--running", most]);
    let said = limit("2").ended_with(0);
    assert!(said.out.contains("2 jobs of greet run"), "{said:?}");
    let said = dev.naq(&["kind", "list"]).ended_with(0);
    assert!(said.out.contains("<= 2"), "{said:?}");
    let said = limit("0").ended_with(0);
    assert!(said.out.contains("no limit"), "{said:?}");
    let said = dev.naq(&["kind", "list"]).ended_with(0);
    assert!(
        said.err.contains("no kind is paused or limited"),
        "{said:?}"
    );
    limit("-1").ended_with(2);
    dev.naq(&["kind", "limit", "greet"]).ended_with(2);
}

#[test]
fn a_worker_is_quiet_scaled_and_stopped_by_the_beginning_of_its_id() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let running = dev.worker_with(HANDLERS, &["--name", "mailer"]);
    let id = worker(&dev)["worker_id"].as_str().unwrap().to_owned();
    assert!(worker(&dev)["connection"]["rtt_us"].as_u64().unwrap() > 0);
    let quiet = ["worker", "quiet", "mailer", "--reason", "deploy", "--json"];
    let set = dev.naq(&quiet).ended_with(0).json();
    assert_eq!(
        (&set["worker_id"], &set["quiet"]["reason"]),
        (&json!(id), &json!("deploy"))
    );
    eventually("it shows that it is quiet", || {
        worker(&dev)["quiet"] == true
    });
    let said = dev.naq(&["worker", "list"]).ended_with(0);
    assert!(said.out.contains("idle (quiet)"), "{said:?}");
    let frame = dev.naq(&["top", "--once"]).ended_with(0).out;
    assert!(frame.contains("quiet"), "{frame}");
    dev.naq(&["enqueue", "greet", "1", "--id", "one", "--wait=1s"])
        .ended_with(6);
    dev.naq(&["worker", "resume", &id]).ended_with(0);
    dev.naq(&["result", "one", "--wait", "--timeout", "30s"])
        .ended_with(0);

    dev.naq(&["queue", "scale", QUEUE, "7"]).ended_with(0);
    eventually("it has the slots of its queue", || {
        worker(&dev)["concurrency"] == 7
    });
    dev.naq(&["worker", "scale", &id, "5"]).ended_with(0);
    eventually("it has slots of its own", || {
        worker(&dev)["concurrency"] == 5
    });
    dev.naq(&["worker", "scale", &id, "--reset"]).ended_with(0);
    dev.naq(&["queue", "scale", QUEUE, "--reset"]).ended_with(0);
    eventually("it has those of its start", || {
        worker(&dev)["concurrency"] == 3
    });
    dev.naq(&["worker", "scale", &id, "0"]).ended_with(2);

    let said = dev.naq(&["worker", "stop", "nobody"]).ended_with(7);
    assert!(said.err.contains("naq worker list"), "{said:?}");
    dev.naq(&["worker", "stop", &id]).ended_with(0);
    let ended = running.ended().ended_with(0);
    assert!(ended.err.contains("stopped: 1 completed"), "{ended:?}");
}

#[test]
fn limits_are_set_shown_and_taken_away() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let said = dev.naq(&["queue", "limit", "mail"]).ended_with(0);
    assert!(said.err.contains("nothing is set"), "{said:?}");
    let limit = [
        "queue",
        "limit",
        "mail",
        "--running",
        "9",
        "--running-per-key",
        "2",
        "--rate",
        "30/m",
        "--order",
        "weighted",
    ];
    let said = dev.naq(&limit).ended_with(0);
    let shown = "running over all workers: 9\nrunning per key: 2\nrate: 30/1m\norder: weighted\n";
    assert_eq!(said.out, shown);
    let more = ["queue", "limit", "mail", "--running", "0", "--json"];
    let set = dev.naq(&more).ended_with(0).json();
    assert_eq!(
        set,
        json!({ "queue": "mail", "max_running": 0, "max_running_per_key": 2, "rate": "30/1m", "order": "weighted" })
    );
    let set = dev
        .naq(&["queue", "limit", "mail", "--clear", "--json"])
        .ended_with(0)
        .json();
    assert_eq!(set, json!({ "queue": "mail" }));
    let said = dev
        .naq(&["queue", "limit", "mail", "--rate", "fast"])
        .ended_with(2);
    assert!(said.err.contains("100/s"), "{said:?}");
}

/// The rate holds over what is enqueued from a shell, and a high job goes first.
#[test]
fn a_job_is_enqueued_with_a_priority_and_a_limit_key() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    for (id, priority) in [("low-1", "low"), ("high-1", "high")] {
        let enqueue = [
            "enqueue",
            "greet",
            "1",
            "--id",
            id,
            "--priority",
            priority,
            "--limit-key",
            "acme",
        ];
        dev.naq(&enqueue).ended_with(0);
    }
    let _worker = dev.worker_with(HANDLERS, &["-c", "1"]);
    let mut finished = Vec::new();
    for id in ["high-1", "low-1"] {
        let wait = ["result", id, "--wait", "--timeout", "30s", "--json"];
        let outcome = dev.naq(&wait).ended_with(0).json();
        finished.push(outcome["finished_at_ms"].as_u64().unwrap());
    }
    assert!(finished[0] <= finished[1], "{finished:?}");
}

/// AC-05.
#[test]
fn a_worker_that_was_killed_is_stale_and_then_gone() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let lively = HANDLERS.replace("500ms", "1s\n  ttl: 8s");
    let killed = dev.worker(&lively);
    let listed = |command: &[&str]| dev.naq(command).ended_with(0).out;
    assert!(!listed(&["list-workers"]).contains("STALE"));
    assert_eq!(worker(&dev)["stale"], json!(false));
    killed.signal(Signal::KILL);
    eventually("it is stale", || worker(&dev)["stale"] == json!(true));
    assert!(listed(&["list-workers"]).contains("(STALE)"));
    assert!(listed(&["top", "--once"]).contains("STALE"));
    eventually("it is gone", || worker(&dev) == Value::Null);
    drop(killed);
}
