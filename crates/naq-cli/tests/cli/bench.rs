//! `naq bench`: its figures, and that it leaves nothing behind.

use std::process::Stdio;

use naq::embedded::EmbeddedServer;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::tempdir;
use tokio::runtime::Runtime;

use super::command::{Said, eventually, naq, run, signal};

/// A server that is not the benchmark's.
struct Theirs {
    runtime: Runtime,
    server: EmbeddedServer,
}

impl Theirs {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let server = EmbeddedServer::builder().monitoring(true).start();
        let server = runtime.block_on(Box::pin(server)).unwrap();
        Self { runtime, server }
    }

    /// Streams that it has now, by its own count.
    fn streams(&self) -> u64 {
        self.count("streams")
    }

    fn count(&self, field: &str) -> u64 {
        let jsz = self.runtime.block_on(self.server.monitor("/jsz")).unwrap();
        jsz[field].as_u64().unwrap()
    }
}

#[track_caller]
fn number(row: &Value, field: &str) -> f64 {
    row[field]
        .as_f64()
        .unwrap_or_else(|| panic!("{field}: {row}"))
}

#[test]
fn a_row_says_what_was_measured_and_whether_the_target_is_met() {
    let dir = tempdir().unwrap();
    let args = ["bench", "--quick", "--only", "enqueue_one", "--json"];
    let said = run(dir.path(), &args).ended_with(0);
    assert_eq!(said.err, "", "nothing is shown without a terminal");
    let report = said.json();
    let [row] = &report["rows"].as_array().unwrap()[..] else {
        panic!("one row: {report}");
    };
    assert_eq!(row["name"], "enqueue_one");
    assert!(number(row, "raw") > 0.0 && number(row, "naq") > 0.0);
    let (ratio, target) = (number(row, "ratio"), number(row, "target"));
    assert!((target - 0.9).abs() < 1e-9);
    assert_eq!(row["met"], ratio >= target, "{row}");
}

#[test]
fn on_a_server_of_the_user_it_drains_by_processes_and_removes_its_streams() {
    let (dir, theirs) = (tempdir().unwrap(), Theirs::start());
    let url = theirs.server.url();
    let rows = "drain_plain,drain_result,latency,workers";
    let args = [
        "bench", "--quick", "--rounds", "1", "--only", rows, "--json", "--server", &url,
    ];
    let report = run(dir.path(), &args).ended_with(0).json();
    let names: Vec<_> = report["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["name"])
        .collect();
    assert_eq!(names, rows.split(',').collect::<Vec<_>>());
    assert_eq!(theirs.streams(), 0);
}

#[test]
fn scale_compares_its_cases_with_the_first_and_with_the_raw_loop() {
    let (dir, theirs) = (tempdir().unwrap(), Theirs::start());
    let url = theirs.server.url();
    let args = [
        "bench", "--quick", "--rounds", "1", "--only", "scale", "--json", "--server", &url,
    ];
    let report = run(dir.path(), &args).ended_with(0).json();
    let detail = &report["rows"][0]["detail"];
    for case in ["backlog_200", "backlog_2000", "queues_10", "delayed_1000"] {
        let (cost, growth) = (
            number(detail, case),
            number(detail, &format!("growth_{case}")),
        );
        assert!((growth - cost / number(detail, "backlog_200")).abs() < 1e-6);
        assert!(number(detail, &format!("raw_{case}")) > 0.0);
    }
    assert_eq!(theirs.streams(), 0);
}

#[test]
fn in_a_cluster_the_page_says_so_and_has_all_its_pictures() {
    let dir = tempdir().unwrap();
    let page = dir.path().join("page.md");
    let rows = "enqueue_one,latency";
    let args = [
        "bench",
        "--cluster",
        "--quick",
        "--rounds",
        "1",
        "--only",
        rows,
    ];
    let args = [&args[..], &["--json", "--report", page.to_str().unwrap()]].concat();
    let report = run(dir.path(), &args).ended_with(0).json();
    assert_eq!(report["replicas"], 3);
    let text = std::fs::read_to_string(&page).unwrap();
    assert!(text.contains("3 replicas, on as many nodes"), "{text}");
    let pictures: Vec<_> = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .collect();
    assert_eq!(pictures, ["page-throughput.svg", "page-latency.svg"]);
    for picture in pictures {
        assert!(dir.path().join(picture).exists(), "{picture}");
    }
}

#[test]
fn interrupted_it_removes_its_streams_from_a_server_of_the_user() {
    let (dir, theirs) = (tempdir().unwrap(), Theirs::start());
    let url = theirs.server.url();
    let mut command = naq(
        dir.path(),
        [
            "bench",
            "--only",
            "drain_plain",
            "--rounds",
            "100",
            "--server",
            &url,
        ],
    );
    let bench = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The streams of both sides are there by then.
    eventually("it enqueues", || theirs.count("messages") > 0);
    signal(&bench, Signal::INT);
    let said = Said::of(bench.wait_with_output().unwrap()).ended_with(130);
    assert_eq!(said.out, "");
    assert_eq!(theirs.streams(), 0);
}

#[test]
fn the_table_has_a_line_for_each_row() {
    let dir = tempdir().unwrap();
    let said = run(
        dir.path(),
        &[
            "bench",
            "--quick",
            "--rounds",
            "1",
            "--only",
            "enqueue_bulk,idle",
        ],
    )
    .ended_with(0);
    let lines: Vec<_> = said.out.lines().collect();
    assert!(lines[0].trim_start().starts_with("ROW"), "{said:?}");
    assert!(
        lines[1].contains("enqueue_bulk") && lines[1].contains(">= 0.80x"),
        "{said:?}"
    );
    assert!(
        lines[2].contains("idle") && lines[2].contains("< 0.2 % of a core"),
        "{said:?}"
    );
}
