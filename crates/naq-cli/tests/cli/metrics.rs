//! What Prometheus would scrape, and whether the dashboard and the alert rules ask for what is there.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use rustix::process::Signal;
use tempfile::tempdir;

use super::command::{Dev, eventually, signal};

const HANDLERS: &str = r#"
workers:
  handlers:
    greet:
      command: [bash, -c, 'read -r name; echo "{\"hello\": $name}"']
    break:
      command: [bash, -c, 'echo no route >&2; exit 1']
"#;

/// The address that a process says it serves its numbers on.
fn address(child: &mut Child) -> String {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let said = lines.find_map(|line| {
        let line = line.unwrap();
        let url = line.strip_prefix("metrics: http://")?;
        Some(url.strip_suffix("/metrics").unwrap().to_owned())
    });
    // Whatever it says later has to go somewhere.
    std::thread::spawn(move || lines.for_each(drop));
    said.unwrap()
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// The value of a line of a page.
fn value(page: &str, series: &str) -> Option<f64> {
    let line = page
        .lines()
        .find(|line| line.starts_with(&format!("{series} ")))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// The names of ours in a text, as queries have them.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
    let ours = words.filter(|word| word.starts_with("naq_"));
    ours.map(str::to_owned).collect()
}

/// The dashboard and the alert rules name only what one of the two pages has.
fn asks_for_what_is_there(page: &str, whole: &str) {
    let there: BTreeSet<String> = names(page).union(&names(whole)).cloned().collect();
    let dashboard = include_str!("../../../../docs/grafana/dashboard.json");
    let alerts = include_str!("../../../../docs/grafana/alerts.yaml");
    for (file, text) in [("dashboard", dashboard), ("alerts", alerts)] {
        let asked = names(text);
        assert!(asked.len() > 5, "{file}");
        let missing: Vec<_> = asked.difference(&there).collect();
        assert!(
            missing.is_empty(),
            "{file} asks for {missing:?}; there are {there:?}"
        );
    }
    let dashboard: serde_json::Value = serde_json::from_str(dashboard).unwrap();
    assert!(dashboard["panels"].as_array().unwrap().len() >= 10);
}

/// AC-33, AC-28.
#[test]
fn workers_and_the_system_are_scraped_and_the_dashboard_asks_for_what_is_there() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    std::fs::write(dir.path().join("naq.yaml"), HANDLERS).unwrap();
    let serving = ["worker", "--metrics", "127.0.0.1:0"];
    let mut worker = dev
        .command(&serving)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let of_worker = address(&mut worker);
    let watching = ["metrics", "--listen", "127.0.0.1:0"];
    let mut system = dev
        .command(&watching)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let of_system = address(&mut system);

    dev.naq(&["enqueue", "greet", "\"Ada\"", "--wait"])
        .ended_with(0);
    let retried = [
        "enqueue",
        "break",
        "1",
        "--retries",
        "1",
        "--retry-delay",
        "50ms",
        "--wait",
    ];
    assert_ne!(dev.naq(&retried).code, Some(0));
    let labels = r#"queue="naq_default_queue",kind="greet",state="completed""#;
    eventually("the jobs are counted", || {
        let page = get(&of_worker, "/metrics");
        value(&page, &format!("naq_jobs_total{{{labels}}}")) == Some(1.0)
            && page.contains("naq_job_retries_total")
            && page.contains(r#"kind="break",state="failed""#)
    });
    let page = get(&of_worker, "/metrics");
    let count = r#"naq_job_duration_seconds_count{queue="naq_default_queue",kind="greet"}"#;
    assert_eq!(value(&page, count), Some(1.0), "{page}");
    assert_eq!(value(&page, "naq_worker_slots"), Some(10.0));
    let whole = get(&of_system, "/metrics");
    assert_eq!(value(&whole, "naq_up"), Some(1.0), "{whole}");
    let dead = r#"naq_queue_dead_letters{queue="naq_default_queue"}"#;
    assert_eq!(value(&whole, dead), Some(1.0));
    assert_eq!(value(&whole, r#"naq_workers{status="idle"}"#), Some(1.0));
    eventually("the share of failures is told", || {
        let ratio = r#"naq_queue_failure_ratio{queue="naq_default_queue"}"#;
        value(&get(&of_system, "/metrics"), ratio) == Some(0.5)
    });
    let queue = ["queue", "show", "naq_default_queue"];
    let shown = dev.naq(&[&queue[..], &["--json"]].concat()).json();
    assert_eq!(shown["last_day"]["failure_rate"], 0.5, "{shown}");
    let shown = dev.naq(&queue).ended_with(0).out;
    assert!(shown.contains("50.0 %"), "{shown}");
    assert_eq!(value(&whole, "naq_slots"), Some(10.0));
    assert!(get(&of_system, "/").starts_with("HTTP/1.1 404"));

    asks_for_what_is_there(&page, &whole);
    for child in [&mut worker, &mut system] {
        signal(child, Signal::TERM);
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn the_numbers_of_the_system_are_printed_once() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    dev.naq(&["enqueue", "greet", "1", "--queue", "mail"])
        .ended_with(0);
    let said = dev.naq(&["metrics"]).ended_with(0);
    assert_eq!(
        value(&said.out, r#"naq_queue_waiting{queue="mail"}"#),
        Some(1.0),
        "{said:?}"
    );
    assert_eq!(value(&said.out, "naq_slots"), Some(0.0));
    let said = dev.naq(&["metrics", "--listen", "nowhere"]).ended_with(2);
    assert!(said.err.contains("--listen"), "{said:?}");
}
