//! Everything that can be said of a job when it is enqueued.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::tempdir;

use super::command::{Dev, Said, eventually, signal};

const HANDLERS: &str = "workers:\n  handlers:\n    copy:\n      command: [cat]\n";

fn body(dev: &Dev, id: &str) -> Value {
    let shown = dev.naq(&["job", "show", id, "--json"]).ended_with(0).json();
    shown["body"].clone()
}

#[test]
fn each_flag_of_retry_is_in_the_envelope() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let line = "enqueue fetch 1 --id all --max-retries 5 --retry-delay 2s --retry-strategy exponential \
        --retry-max-delay 1m --retry-jitter full --retry-on http_5xx,timeout --ignore-on http_501 --timeout 30s \
        --payload-version 3 --discard-result --header tenant=acme \
        --trace-parent 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let line: Vec<&str> = line.split_whitespace().collect();
    dev.naq(&line).ended_with(0);
    let shown = body(&dev, "all");
    let retry = json!({
        "retries": 5, "delay_ms": 2000, "strategy": "exponential", "max_delay_ms": 60_000,
        "jitter": "full", "retry_on": ["http_5xx", "timeout"], "ignore_on": ["http_501"],
    });
    assert_eq!(shown["retry"], retry);
    assert_eq!(shown["keep_result"], json!(false));
    assert_eq!(shown["payload_version"], json!(3));
    assert_eq!(shown["timeout_ms"], json!(30_000));
    let rising = [
        "enqueue",
        "fetch",
        "--id",
        "r",
        "-r",
        "3",
        "--retry-strategy",
        "rising",
    ];
    dev.naq(&rising).ended_with(0);
    assert_eq!(body(&dev, "r")["retry"]["strategy"], "rising");
}

#[test]
fn flags_that_make_no_sense_together_say_what_to_do_and_enqueue_nothing() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let cases = [
        ("--retry-jitter full", "--retries 3"),
        (
            "--retry-delay 1s,2s --retry-strategy rising",
            "each of the delays",
        ),
        (
            "--retry-strategy quadratic -r 1",
            "linear, rising, exponential",
        ),
        ("--compress gzip", "none, zlib"),
        ("--trace-parent 1-2-3", "00-<trace>-<span>-<flags>"),
        ("--header Naq-Fence=7", "belong to the server and to NAQ"),
        ("--header nothing", "NAME=VALUE"),
        ("--queue a.b", "use `-` or `_` instead"),
        ("--id a.b", "job id"),
        ("--discard-result --result-ttl 1h", "cannot be used with"),
        ("--after x --unique y", "cannot be used with"),
        ("--after nobody", "nobody"),
    ];
    for (flags, advice) in cases {
        let line: Vec<&str> = ["enqueue", "copy", "1"]
            .into_iter()
            .chain(flags.split_whitespace())
            .collect();
        let said = dev.naq(&line);
        assert!(said.code != Some(0), "{flags}: {said:?}");
        assert!(said.err.contains(advice), "{flags}: {}", said.err);
    }
    let listed = dev.naq(&["job", "list", "--json"]).ended_with(0).json();
    assert_eq!(listed["jobs"], json!([]));
}

#[test]
fn a_compressed_job_is_shown_as_it_is_meant_and_its_result_comes_back() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let payload = json!(vec!["the same line"; 1000]).to_string();
    std::fs::write(dir.path().join("payload.json"), &payload).unwrap();
    let file = [
        "enqueue",
        "copy",
        "--file",
        "payload.json",
        "--compress",
        "zlib",
    ];
    dev.naq(&[&file[..], &["--id", "packed"]].concat())
        .ended_with(0);
    let shown = dev.naq(&["job", "payload", "packed"]).ended_with(0);
    assert_eq!(shown.out.trim(), payload);
    assert_eq!(body(&dev, "packed")["payload"][999], "the same line");
    let listed = dev.naq(&["job", "list", "--json"]).json();
    let size = listed["jobs"][0]["bytes"].as_u64().unwrap();
    assert!(size < 1000, "{size}");
    let worker = dev.worker(HANDLERS);
    let result = ["result", "packed", "--wait", "--timeout", "30s"];
    let said = dev.naq(&result).ended_with(0);
    assert_eq!(said.json()[999], "the same line");
    let shown = dev.naq(&["job", "show", "packed", "--json"]).json();
    assert!(shown.to_string().contains("the same line"), "{shown}");
    dev.naq(&["job", "payload", "packed"]).ended_with(7);
    dev.naq(&["enqueue", "copy", "1", "--id", "first", "--wait=30s"])
        .ended_with(0);
    let after = ["enqueue", "copy", "2", "--after", "first", "--wait=30s"];
    assert_eq!(dev.naq(&after).ended_with(0).json(), json!(2));
    worker.stop(Signal::TERM).ended_with(0);
}

/// A batch of so many lines under the name `import`, as a command.
fn import(dev: &Dev, lines: usize) -> Command {
    let file = dev.dir.join("jobs.jsonl");
    std::fs::write(&file, "{\"payload\": 1}\n".repeat(lines)).unwrap();
    let path = file.to_str().unwrap();
    dev.command(&[
        "enqueue", "greet", "-q", "mail", "--batch", path, "--resume", "import",
    ])
}

fn waiting(dev: &Dev) -> u64 {
    let shown = dev.naq(&["queue", "show", "mail", "--json"]).ended_with(0);
    shown.json()["waiting"].as_u64().unwrap()
}

#[test]
fn a_batch_goes_in_whole_although_nobody_reads_its_answers_to_the_end() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let mut child = import(&dev, 5000).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    answers.read_line(&mut first).unwrap();
    assert_eq!(first, "import-0\tnew\n");
    drop(answers);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(waiting(&dev), 5000);
}

#[test]
fn an_interrupted_batch_says_how_to_go_on_and_then_has_each_job_once() {
    const LINES: usize = 60_000;
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let path = dir.path().join("answers");
    let answers = std::fs::File::create(&path).unwrap();
    let mut command = import(&dev, LINES);
    let child = command
        .stdout(answers)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("some are in", || path.metadata().unwrap().len() > 0);
    signal(&child, Signal::INT);
    let said = Said::of(child.wait_with_output().unwrap()).ended_with(130);
    assert!(said.err.contains("of 60000 jobs are in"), "{said:?}");
    assert!(said.err.contains("--resume import"), "{said:?}");
    let before = waiting(&dev);
    assert!(before > 0 && before < LINES as u64, "{before}");
    Said::of(import(&dev, LINES).output().unwrap()).ended_with(0);
    assert_eq!(waiting(&dev), LINES as u64);
}
