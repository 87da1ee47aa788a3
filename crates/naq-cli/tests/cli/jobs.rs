//! Two terminals: a worker in one, the rest in the other.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use tempfile::tempdir;

use super::command::{Dev, eventually};
use super::processes::{below, runs};

const HANDLERS: &str = r#"
workers:
  handlers:
    greet:
      command: [bash, -c, 'read -r name; echo "{\"hello\": $name, \"attempt\": $NAQ_JOB_ATTEMPT}"']
    second:
      command: [bash, -c, '[ "$NAQ_JOB_ATTEMPT" -ge 2 ] && echo done']
    sleep:
      command: [sleep, "60"]
"#;

#[test]
fn a_job_is_enqueued_run_and_its_result_read() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let worker = dev.worker(HANDLERS);
    let said = dev
        .naq(&["enqueue", "greet", "\"Ada\"", "--wait=30s"])
        .ended_with(0);
    assert_eq!(said.json(), json!({ "hello": "Ada", "attempt": 1 }));

    let said = dev
        .naq(&["enqueue", "greet", "\"Bob\"", "--json"])
        .ended_with(0)
        .json();
    let id = said["id"].as_str().unwrap();
    let said = dev
        .naq(&["result", id, "--wait", "--timeout", "30s"])
        .ended_with(0);
    assert_eq!(said.json()["hello"], "Bob");
    let outcome = dev.naq(&["result", id, "--json"]).ended_with(0).json();
    assert_eq!(
        (&outcome["status"], &outcome["id"]),
        (&json!("completed"), &json!(id))
    );

    let retried = ["enqueue", "second", "--retry-delay", "50ms", "--wait=30s"];
    assert_eq!(dev.naq(&retried).ended_with(0).json(), json!("done"));
    let said = worker.stop(Signal::TERM).ended_with(0);
    assert!(
        said.err
            .contains("stopped: 3 completed, 0 failed, 1 retried"),
        "{said:?}"
    );
    eventually("the worker is not listed any more", || {
        dev.naq(&["list-workers", "--json"]).json()["workers"] == json!([])
    });
}

#[test]
fn an_id_runs_once_however_often_it_is_enqueued() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    for _ in 0..3 {
        dev.naq(&["enqueue", "greet", "1", "--id", "only"])
            .ended_with(0);
    }
    let worker = dev.worker(HANDLERS);
    dev.naq(&["result", "only", "--wait", "--timeout", "30s"])
        .ended_with(0);
    let said = worker.stop(Signal::TERM).ended_with(0);
    assert!(said.err.contains("stopped: 1 completed"), "{said:?}");
}

#[test]
fn a_job_that_is_not_there_ends_with_7_and_one_that_takes_long_with_6() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    dev.naq(&["result", "unknown"]).ended_with(7);
    dev.naq(&["result", "unknown", "--wait", "--timeout", "100ms"])
        .ended_with(6);
    let said = dev
        .naq(&["enqueue", "greet", "1", "--wait=100ms"])
        .ended_with(6);
    assert!(said.err.contains("naq worker list"), "{said:?}");
}

#[test]
fn a_busy_worker_shows_its_job_and_hands_it_back_when_it_must_go() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let config = format!("{HANDLERS}\n  shutdown_timeout: 1s\n");
    let worker = dev.worker(&config);
    dev.naq(&["enqueue", "sleep", "--id", "long"]).ended_with(0);
    eventually("the job is listed as running", || {
        let said = dev.naq(&["worker", "list"]).ended_with(0);
        said.out.contains("long") && said.out.contains("busy") && said.out.contains("1/10")
    });
    let said = worker.stop(Signal::INT).ended_with(0);
    assert!(said.err.contains("running jobs get 1s"), "{said:?}");
    assert!(said.err.contains("1 handed back"), "{said:?}");
    dev.naq(&["result", "long"]).ended_with(7);
}

#[test]
fn asked_twice_a_worker_hands_back_at_once_and_leaves_no_program() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let worker = dev.worker(HANDLERS);
    dev.naq(&["enqueue", "sleep", "--id", "long"]).ended_with(0);
    eventually("the program runs", || !below(worker.id()).is_empty());
    let programs = below(worker.id());
    worker.signal(Signal::INT);
    eventually("the worker is stopping", || {
        dev.naq(&["worker", "list"]).out.contains("stopping")
    });
    let begun = Instant::now();
    let said = worker.stop(Signal::INT).ended_with(130);
    assert!(said.err.contains("1 handed back"), "{said:?}");
    eventually("the program is gone", || {
        !programs.iter().any(|pid| runs(*pid))
    });
    // Long before its lease would have ended, and nobody is left in the list.
    let next = dev.worker(HANDLERS);
    eventually("the job runs again", || !below(next.id()).is_empty());
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    let listed = dev.naq(&["worker", "list", "--json"]).ended_with(0).json();
    assert_eq!(listed["workers"].as_array().unwrap().len(), 1, "{listed}");
    drop(next);
}

#[test]
fn a_worker_of_a_pool_serves_its_queues_and_no_others() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let pools =
        format!("{HANDLERS}  pools:\n    mails: {{queues: [mail, urgent], concurrency: 3}}\n");
    let worker = dev.worker_with(&pools, &["--pool", "mails"]);
    for queue in ["mail", "urgent"] {
        let job = [
            "enqueue",
            "greet",
            "\"Ada\"",
            "--queue",
            queue,
            "--wait=30s",
        ];
        dev.naq(&job).ended_with(0);
    }
    let other = ["enqueue", "greet", "\"Bob\"", "--json"];
    dev.naq(&other).ended_with(0);
    let listed = dev.naq(&["worker", "list", "--json"]).ended_with(0).json();
    let listed = &listed["workers"][0];
    assert_eq!(listed["queues"], json!(["mail", "urgent"]));
    assert_eq!(listed["concurrency"], json!(3));
    let said = worker.stop(Signal::TERM).ended_with(0);
    assert!(said.err.contains("stopped: 2 completed"), "{said:?}");
    let unknown = dev.naq(&["worker", "--pool", "nosuch"]).ended_with(3);
    assert!(
        unknown.err.contains("there is no pool nosuch"),
        "{unknown:?}"
    );
}

/// The example in the repository, run as its comment says.
#[test]
fn the_python_example_works_as_it_says() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/python");
    let dir = tempdir().unwrap();
    std::fs::copy(
        example.join("text_stats.py"),
        dir.path().join("text_stats.py"),
    )
    .unwrap();
    let dev = Dev::start(dir.path());
    let worker = dev.worker(&std::fs::read_to_string(example.join("naq.yaml")).unwrap());
    let text = r#"{"text": "the quick brown fox"}"#;
    let said = dev
        .naq(&["enqueue", "text.stats", text, "--wait=30s"])
        .ended_with(0);
    let expected = json!({ "words": 4, "longest": "quick", "attempt": 1 });
    assert_eq!(said.json(), expected);
    let refused = ["enqueue", "text.stats", "7", "--retries", "3", "--wait=30s"];
    let said = dev.naq(&refused).ended_with(5);
    assert!(
        said.err.contains("fatal") && said.err.contains("the payload must be"),
        "{said:?}"
    );
    worker.stop(Signal::TERM).ended_with(0);
}

#[test]
fn a_key_is_printed_with_the_job_that_has_it_and_times_and_headers_are_set() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let unique = ["enqueue", "greet", "1", "--unique", "invoice-17", "--json"];
    let first = dev.naq(&unique).ended_with(0).json();
    assert_eq!(first["landing"], "new");
    let second = dev.naq(&unique).ended_with(0).json();
    assert_eq!(second, json!({ "id": first["id"], "landing": "existing" }));
    let replaced = dev
        .naq(&[&unique[..], &["--replace"]].concat())
        .ended_with(0);
    assert_eq!(replaced.json()["landing"], "replaced");
    let said = dev.naq(&unique[..5]).ended_with(0);
    assert!(said.err.contains("the key is taken"), "{said:?}");
    assert_eq!(json!(said.out.trim()), first["id"]);
    for more in [
        ["--unique-for", "1h"],
        ["--throttle", "1h"],
        ["--debounce", "1h"],
    ] {
        let key = ["enqueue", "greet", "1", "--unique", &more[0][2..], "--json"];
        let said = dev.naq(&[&key[..], &more].concat()).ended_with(0);
        assert_eq!(said.json()["landing"], "new", "{more:?}");
    }
    dev.naq(&["enqueue", "greet", "--throttle", "1h"])
        .ended_with(2);

    let late = [
        "enqueue",
        "greet",
        "1",
        "--expires-in",
        "1ms",
        "--header",
        "tenant=acme",
    ];
    let late = dev.naq(&late).ended_with(0);
    let worker = dev.worker(HANDLERS);
    let said = dev
        .naq(&["result", late.out.trim(), "--wait"])
        .ended_with(5);
    assert!(said.err.contains("was cancelled (expired"), "{said:?}");
    let dead = [
        "enqueue",
        "sleep",
        "--deadline",
        "1s",
        "--header",
        "a=b",
        "--wait",
    ];
    let said = dev.naq(&dead).ended_with(5);
    assert!(said.err.contains("(deadline)"), "{said:?}");
    let bad = dev
        .naq(&["enqueue", "greet", "--header", "Nats-TTL=1s"])
        .ended_with(2);
    assert!(bad.err.contains("Nats-TTL"), "{bad:?}");
    worker.stop(Signal::TERM).ended_with(0);
}

#[test]
fn a_file_of_jobs_goes_in_with_an_answer_for_each_and_a_large_payload_too() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let lines = |bad: &str| {
        let good = (0..2000).map(|n| format!("{{\"payload\": \"{n}\"}}\n"));
        good.collect::<String>() + bad
    };
    let file = dir.path().join("jobs.jsonl");
    let path = file.to_str().unwrap();
    std::fs::write(&file, lines("\n{\"payload\": 1, \"color\": 1}\n")).unwrap();
    let said = dev
        .naq(&["enqueue", "greet", "--batch", path])
        .ended_with(2);
    assert!(
        said.err.contains("line 2002") && said.err.contains("nothing was"),
        "{said:?}"
    );

    std::fs::write(&file, lines("{\"kind\": \"other\", \"id\": \"mine\"}\n")).unwrap();
    let dry = ["enqueue", "greet", "--batch", path, "--dry-run", "--json"];
    let kinds = json!({ "jobs": 2001, "kinds": { "greet": 2000, "other": 1 } });
    assert_eq!(dev.naq(&dry).ended_with(0).json(), kinds);
    let named = ["enqueue", "greet", "--batch", path, "--resume", "import"];
    let said = dev.naq(&named).ended_with(0);
    assert_eq!(said.out.lines().count(), 2001);
    assert!(said.out.starts_with("import-0\tnew\n"), "{:.100}", said.out);
    assert!(said.out.ends_with("mine\tnew\n"));
    let again = dev.naq(&named).ended_with(0);
    assert_eq!(again.out, "", "all of them are in");

    let picture = dir.path().join("picture.json");
    let text = format!("\"{}\"", "x".repeat(3_000_000));
    std::fs::write(&picture, &text).unwrap();
    let file = picture.to_str().unwrap();
    let large = dev
        .naq(&["enqueue", "size", "--file", file, "-q", "large"])
        .ended_with(0);
    let handler = "workers: {handlers: {size: {command: [wc, -c]}}}";
    let worker = dev.worker_with(handler, &["large"]);
    let said = dev
        .naq(&["result", large.out.trim(), "--wait"])
        .ended_with(0);
    assert_eq!(said.json(), json!(text.len()));
    worker.stop(Signal::TERM).ended_with(0);
}
