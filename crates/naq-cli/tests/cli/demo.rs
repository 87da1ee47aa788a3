//! `naq demo`: its numbers, and its end.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::process::Signal;
use serde_json::json;
use tempfile::tempdir;

use super::command::{eventually, naq, run, signal};
use super::processes::{below, has_server, runs};

fn write_corpus(dir: &Path) {
    fs::create_dir_all(dir.join("sub")).unwrap();
    fs::create_dir_all(dir.join("target")).unwrap();
    fs::write(dir.join("a.txt"), "one two\nthree\n").unwrap();
    fs::write(dir.join("sub/b.txt"), "größer\u{a0}als\n\n").unwrap();
    fs::write(dir.join("empty"), "").unwrap();
    fs::write(dir.join("binary"), [1, 0, 2]).unwrap();
    fs::write(dir.join("target/c.txt"), "left out\n").unwrap();
    fs::write(
        dir.join("target/CACHEDIR.TAG"),
        "Signature: 8a477f597d28d172789f06886806bc55\n",
    )
    .unwrap();
}

#[test]
fn the_sums_are_those_of_the_files_and_everything_adds_up() {
    let dir = tempdir().unwrap();
    write_corpus(dir.path());
    let report = run(dir.path(), &["demo", "--json", "."])
        .ended_with(0)
        .json();
    assert_eq!(
        report["corpus"],
        json!({ "files": 3, "lines": 4, "words": 5 })
    );
    let jobs = json!({ "enqueued": 8, "completed": 6, "dead": 2, "retried": 3 });
    assert_eq!(report["jobs"], jobs);
    assert_eq!(report["lost"], 0);
    assert_eq!(report["executed_twice"], 0);
    assert!(report["server"]["version"].is_string() && report["server"]["url"].is_string());
    assert!(report["latency_ms"]["p99"].as_f64() >= report["latency_ms"]["p50"].as_f64());
}

#[test]
fn an_empty_directory_is_said_and_the_rest_is_shown() {
    let dir = tempdir().unwrap();
    let said = run(dir.path(), &["demo", "--keep", ".kept"]).ended_with(0);
    assert!(said.err.contains("no text files"), "{said:?}");
    assert!(
        said.out.contains("demo.panics") && !said.out.contains("NO "),
        "{said:?}"
    );
    assert!(
        !said.out.contains('\u{1b}'),
        "colours without a terminal: {said:?}"
    );
    assert!(dir.path().join(".kept").is_dir());
}

/// The demo, with its log on standard error.
fn start(dir: &Path) -> Child {
    let mut command = naq(dir, ["demo", "--json", "-l", "info"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Interrupts it, and checks that nothing of it is left.
fn interrupt(mut demo: Child, with: Signal, code: i32) {
    let family = below(demo.id());
    signal(&demo, with);
    // The pipes are emptied, so that it cannot hang on them.
    let mut err = BufReader::new(demo.stderr.take().unwrap());
    std::io::copy(&mut err, &mut std::io::sink()).unwrap();
    let output = demo.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(code));
    assert_eq!(output.stdout, b"");
    eventually("no process is left", || {
        !family.iter().any(|pid| runs(*pid))
    });
}

#[test]
fn interrupted_while_jobs_run_it_leaves_nothing() {
    for (with, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let dir = tempdir().unwrap();
        write_corpus(dir.path());
        let mut demo = start(dir.path());
        let mut log = BufReader::new(demo.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("worker started") {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "the demo has ended");
        }
        demo.stderr = Some(log.into_inner());
        assert!(has_server(&below(demo.id())));
        interrupt(demo, with, code);
    }
}

#[test]
fn interrupted_while_the_server_starts_it_leaves_nothing() {
    let dir = tempdir().unwrap();
    let demo = start(dir.path());
    let id = demo.id();
    eventually("the demo has a child", || !below(id).is_empty());
    interrupt(demo, Signal::INT, 130);
}

/// A file of Linux that is different each time that it is read.
#[cfg(target_os = "linux")]
#[test]
fn a_result_that_differs_from_the_direct_count_ends_with_8() {
    let said = run(Path::new("/proc/sys/kernel/random"), &["demo"]).ended_with(8);
    assert!(
        said.err.contains("does not add up") && said.err.contains("/uuid"),
        "{said:?}"
    );
}
