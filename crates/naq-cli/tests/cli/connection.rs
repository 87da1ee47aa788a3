//! `naq connection`, against a server that is there, is not, comes late, goes away.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use naq_testing::HeldPort;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::tempdir;

use super::command::{Dev, Said, naq, run, signal};

const NOBODY: &str = "nats://127.0.0.1:1";

#[test]
fn a_test_names_the_server_or_says_why_not() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let said = dev.naq(&["connection", "test"]).ended_with(0);
    assert!(
        said.out.contains("connected to") && said.out.contains("round trip"),
        "{said:?}"
    );
    let said = dev
        .naq(&["connection", "test", "--json"])
        .ended_with(0)
        .json();
    assert_eq!(said["connected"], true);
    assert!(said["rtt_ms"].as_f64().unwrap() > 0.0);
    assert!(
        said["server"]["version"]
            .as_str()
            .unwrap()
            .starts_with("2.")
    );

    let said = run(dir.path(), &["connection", "test", "-u", NOBODY]).ended_with(4);
    assert!(
        said.err.contains("refused") && said.err.contains("naq dev"),
        "{said:?}"
    );
    let said = run(dir.path(), &["connection", "test", "-u", NOBODY, "--json"]).ended_with(4);
    assert_eq!(said.json()["connected"], false);
}

#[test]
fn a_port_that_never_answers_costs_the_timeout_and_no_more() {
    let dir = tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("nats://{}", silent.local_addr().unwrap());
    for args in [
        &["connection", "test", "--timeout", "500ms"][..],
        &["connection", "wait", "--timeout", "500ms"],
        &["connection", "doctor", "--timeout", "500ms"],
    ] {
        let started = Instant::now();
        run(dir.path(), &[args, &["-u", &url]].concat()).ended_with(4);
        let took = started.elapsed();
        assert!(took >= Duration::from_millis(500), "{args:?} {took:?}");
        assert!(took < Duration::from_secs(10), "{args:?} {took:?}");
    }
}

#[test]
fn who_waits_goes_on_when_the_server_comes() {
    let dir = tempdir().unwrap();
    let port = HeldPort::take().unwrap();
    let url = format!("nats://127.0.0.1:{}", port.number());
    let mut command = naq(
        dir.path(),
        ["connection", "wait", "--timeout", "50s", "-u", &url],
    );
    let waiting = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _dev = Dev::start_on(dir.path(), port.number());
    let said = Said::of(waiting.wait_with_output().unwrap()).ended_with(0);
    assert!(said.out.contains("answers after"), "{said:?}");
}

#[test]
fn a_measurement_has_the_documented_names_and_forms() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let said = dev
        .naq(&["connection", "measure", "--iterations", "7"])
        .ended_with(0);
    let row = |name: &str| {
        let line = said
            .out
            .lines()
            .find(|line| line.trim_start().starts_with(name));
        line.unwrap().split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(row("success_rate"), "100.0%");
    for name in ["average_time", "min_time", "max_time", "dial_time"] {
        let (whole, digits) = row(name)
            .trim_end_matches('s')
            .split_once('.')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        assert!(
            whole.parse::<u32>().is_ok() && digits.len() == 3,
            "{said:?}"
        );
    }
    let json = dev
        .naq(&["connection", "measure", "--json"])
        .ended_with(0)
        .json();
    let number = |name: &str| json[name].as_f64().unwrap();
    assert_eq!(json["iterations"], 10);
    assert!(0.0 < number("min_time") && number("min_time") <= number("average_time"));
    assert!(number("average_time") <= number("max_time") && number("dial_time") > 0.0);
    let said = run(
        dir.path(),
        &["connection", "measure", "-n", "3", "-u", NOBODY],
    )
    .ended_with(4);
    assert!(said.out.contains("0.0%"), "{said:?}");
}

#[test]
fn a_watch_shows_a_line_per_change_until_ctrl_c() {
    let dir = tempdir().unwrap();
    let port = HeldPort::take().unwrap();
    let dev = Dev::start_on(dir.path(), port.number());
    let url = dev.url.clone();
    let args = [
        "connection",
        "watch",
        "--json",
        "--every",
        "50ms",
        "-u",
        &url,
    ];
    let mut watch = naq(dir.path(), args)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut next = |event: &str, state: Value| {
        loop {
            let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            assert!(line["at"].is_string(), "{line}");
            if line["event"] == event && line["state"] == state {
                return line;
            }
        }
    };
    assert_eq!(next("state", "connected".into())["epoch"], 1);
    assert!(next("rtt", Value::Null)["rtt_ms"].as_f64().unwrap() > 0.0);
    dev.stop();
    next("state", "reconnecting".into());
    let dev = Dev::start_on(dir.path(), port.number());
    assert_eq!(next("state", "connected".into())["epoch"], 2);
    signal(&watch, Signal::INT);
    assert_eq!(watch.wait().unwrap().code(), Some(0));
    drop(dev);
}

#[test]
fn the_doctor_reports_each_step_and_ends_with_4_if_one_fails() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let said = dev.naq(&["connection", "doctor"]).ended_with(0);
    assert!(
        said.out
            .lines()
            .any(|l| l.starts_with("ok") && l.contains("JetStream")),
        "{said:?}"
    );
    assert!(said.err.contains("0 errors"), "{said:?}");
    let json = dev
        .naq(&["connection", "doctor", "--json"])
        .ended_with(0)
        .json();
    assert_eq!(json["healthy"], true);

    let args = [
        "connection",
        "doctor",
        "-u",
        "nats://me:hunter2@127.0.0.1:1",
    ];
    let said = run(dir.path(), &args).ended_with(4);
    let error = said
        .out
        .lines()
        .find(|line| line.starts_with("error"))
        .unwrap();
    assert!(
        error.contains("TCP") && error.contains("refused"),
        "{said:?}"
    );
    assert!(
        said.out.contains("what to do: nothing listens there"),
        "{said:?}"
    );
    assert!(!format!("{said:?}").contains("hunter2"), "{said:?}");
    let json = run(
        dir.path(),
        &["connection", "doctor", "--json", "-u", NOBODY],
    )
    .ended_with(4)
    .json();
    assert_eq!(json["healthy"], false);
    let rows = json["findings"].as_array().unwrap();
    let verdict =
        |check: &str| rows.iter().find(|row| row["check"] == check).unwrap()["verdict"].clone();
    assert_eq!(
        (
            verdict("name lookup"),
            verdict("TCP"),
            verdict("credentials")
        ),
        ("ok".into(), "error".into(), "skipped".into())
    );
}
