//! `naq workflow` against a server, as a person would use it.

use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::tempdir;

use super::command::{Dev, Said, eventually};

const HANDLERS: &str = r#"
workers:
  handlers:
    greet:
      command: [bash, -c, 'read -r name; echo "{\"hello\": $name}"']
    fail:
      command: [bash, -c, 'exit 3']
"#;

const FILE: &str = r#"
name: order
nodes:
  - {name: greet, kind: greet, payload: Ada}
  - {name: approved, wait: true, after: [greet]}
  - {name: pay, kind: fail, after: [approved]}
  - {name: ship, kind: greet, payload: Bob, after: [pay]}
  - {name: sorry, kind: greet, payload: Eve, after_failure: [pay]}
"#;

/// Submits the file under the id `order-1`.
fn submit(dir: &Path, dev: &Dev) -> Said {
    std::fs::write(dir.join("order.yaml"), FILE).unwrap();
    dev.naq(&["workflow", "submit", "order.yaml", "--id", "order-1"])
}

fn show(dev: &Dev) -> Value {
    let show = ["workflow", "show", "order-1", "--json"];
    dev.naq(&show).ended_with(0).json()
}

fn state(dev: &Dev, node: &str) -> Value {
    let shown = show(dev);
    let nodes = shown["nodes"].as_array().unwrap();
    let found = nodes.iter().find(|found| found["name"] == node);
    found.unwrap()["state"].clone()
}

#[test]
fn a_workflow_is_submitted_signalled_shown_and_run_again() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    assert_eq!(submit(dir.path(), &dev).ended_with(0).out, "order-1\n");
    let again = submit(dir.path(), &dev).ended_with(2);
    assert!(again.err.contains("there is one of this id"), "{again:?}");
    let worker = dev.worker(HANDLERS);
    eventually("the signal is waited for", || {
        state(&dev, "approved") == "running"
    });
    let said = dev.naq(&["workflow", "show", "order-1"]).ended_with(0);
    assert!(
        said.out
            .starts_with("order-1: running, 1 of 5 nodes have ended"),
        "{said:?}"
    );
    assert!(said.out.contains("after failure of pay"), "{said:?}");
    let signal = [
        "workflow",
        "signal",
        "order-1",
        "approved",
        r#"{"by": "Zoe"}"#,
    ];
    dev.naq(&signal).ended_with(0);
    let said = dev.naq(&signal);
    assert!(said.code != Some(0), "{said:?}");
    eventually("it is over", || show(&dev)["state"] == "failed");
    assert_eq!(state(&dev, "ship"), "skipped");
    assert_eq!(state(&dev, "sorry"), "completed");
    let said = dev.naq(&["result", "order-1", "--wait"]).ended_with(5);
    assert!(said.err.contains("failed: pay"), "{said:?}");
    let retry = ["workflow", "retry", "order-1", "--dry-run", "--json"];
    let would = dev.naq(&retry).ended_with(0).json();
    assert_eq!(would["would_begin"], json!(["pay", "ship", "sorry"]));
    let said = dev.naq(&["workflow", "retry", "order-1"]).ended_with(0);
    assert_eq!(said.out, "3 nodes of order-1 begin again\n");
    eventually("it is over again", || {
        show(&dev)["retries"] == 1 && show(&dev)["state"] == "failed"
    });
    dev.naq(&["workflow", "delete", "order-1"]).ended_with(0);
    dev.naq(&["workflow", "show", "order-1"]).ended_with(7);
    worker.stop(Signal::TERM).ended_with(0);
}

#[test]
fn workflows_are_listed_drawn_and_cancelled() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    submit(dir.path(), &dev).ended_with(0);
    let listed = dev
        .naq(&["workflow", "list", "--json"])
        .ended_with(0)
        .json();
    assert_eq!(
        listed["workflows"][0]["nodes"],
        json!({"running": 1, "waiting": 4})
    );
    let listed = dev
        .naq(&["workflow", "list", "--status", "failed"])
        .ended_with(0);
    assert_eq!(listed.out, "");
    let dot = dev
        .naq(&["workflow", "show", "order-1", "--dot"])
        .ended_with(0)
        .out;
    assert!(
        dot.starts_with("digraph \"order-1\" {") && dot.contains("n2 -> n4 [color="),
        "{dot}"
    );
    dev.naq(&["workflow", "show", "order-1", "--svg", "order.svg"])
        .ended_with(0);
    let svg = std::fs::read_to_string(dir.path().join("order.svg")).unwrap();
    assert_eq!(svg.matches("<rect x=").count(), 5);
    assert_eq!(svg.matches("marker-end").count(), 4);
    let dry = ["workflow", "cancel", "order-1", "--dry-run"];
    let said = dev.naq(&dry).ended_with(0);
    assert!(
        said.out
            .starts_with("4 nodes would not begin, and 1 that wait in a queue or run"),
        "{said:?}"
    );
    let said = dev.naq(&["workflow", "delete", "order-1"]).ended_with(2);
    assert!(said.err.contains("it is not over"), "{said:?}");
    let said = dev
        .naq(&["workflow", "cancel", "order-1", "--reason", "no money"])
        .ended_with(0);
    assert_eq!(said.out, "order-1 is cancelled, 5 nodes of it\n");
    assert_eq!(show(&dev)["state"], "cancelled");
    assert_eq!(show(&dev)["stopped_because"], "no money");
    let said = dev.naq(&["result", "order-1-0"]).ended_with(5);
    assert!(said.err.contains("no money"), "{said:?}");
    std::fs::write(
        dir.path().join("bad.yaml"),
        "{name: w, nodes: [{name: a, kind: k, after: [b]}]}",
    )
    .unwrap();
    let said = dev.naq(&["workflow", "submit", "bad.yaml"]).ended_with(2);
    assert!(
        said.err.contains("find the node b, which a names"),
        "{said:?}"
    );
}

#[test]
fn what_a_workflow_waits_for_is_explained() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    submit(dir.path(), &dev).ended_with(0);
    let said = dev.naq(&["workflow", "explain", "order-1"]).ended_with(0);
    assert!(
        said.out.contains("no worker serves the queue") && said.out.contains("4 nodes wait"),
        "{said:?}"
    );
    let said = dev.naq(&["explain", "order-1-1"]).ended_with(0);
    assert!(
        said.out.contains("waits for greet (running, order-1-0)"),
        "{said:?}"
    );
    assert_eq!(
        dev.naq(&["job", "status", "order-1-1"]).ended_with(0).out,
        "waiting\n"
    );
    let shown = dev.naq(&["job", "show", "order-1-2"]).ended_with(0);
    assert!(
        shown.out.contains("waiting: the node pay of order-1"),
        "{shown:?}"
    );
    let worker = dev.worker(HANDLERS);
    let explain = ["workflow", "explain", "order-1", "--json"];
    eventually("the signal is what it waits for", || {
        let told = dev.naq(&explain).ended_with(0).json();
        told["open"][0]["reasons"][0]["reason"] == "waits_for_signal"
    });
    let said = dev.naq(&["workflow", "explain", "order-1"]).ended_with(0);
    assert!(
        said.out.contains("`naq workflow signal order-1 approved`"),
        "{said:?}"
    );
    let signal = ["workflow", "signal", "order-1", "approved", "1"];
    dev.naq(&signal).ended_with(0);
    eventually("it is over", || show(&dev)["state"] == "failed");
    let said = dev.naq(&["workflow", "explain", "order-1"]).ended_with(0);
    assert!(said.out.contains("✗ pay  failed: error: "), "{said:?}");
    let said = dev.naq(&["explain", "order-1-3"]).ended_with(0);
    assert!(said.out.contains("never ran: pay (failed"), "{said:?}");
    dev.naq(&["workflow", "explain", "nothing"]).ended_with(7);
    worker.stop(Signal::TERM).ended_with(0);
}
