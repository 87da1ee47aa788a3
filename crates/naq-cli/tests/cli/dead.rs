//! `naq dead`: what failed, and a second chance.

use rustix::process::Signal;
use serde_json::json;
use tempfile::tempdir;

use super::command::Dev;

/// Fails until there is a file `repaired`.
const HANDLERS: &str = r#"
workers:
  handlers:
    mail:
      command: [bash, -c, 'test -e repaired || { echo "no such user" >&2; exit 3; }']
"#;

#[test]
fn a_failed_job_is_listed_shown_and_run_again() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let worker = dev.worker(HANDLERS);
    let said = dev
        .naq(&["enqueue", "mail", "[1]", "--id", "m1", "--wait=30s"])
        .ended_with(5);
    assert_eq!(said.out, "");
    assert!(said.err.contains("no such user"), "{said:?}");
    dev.naq(&["result", "m1"]).ended_with(5);

    let listed = dev.naq(&["dead", "list", "--json"]).ended_with(0).json();
    let letter = &listed["dead_letters"][0];
    assert_eq!(
        (&letter["id"], &letter["kind"]),
        (&json!("m1"), &json!("mail"))
    );
    assert_eq!(
        (&letter["reason"], &listed["more"]),
        (&json!("error"), &json!(false))
    );
    let table = dev.naq(&["dead", "list"]).ended_with(0).out;
    assert!(table.contains("REASON") && table.contains("m1"), "{table}");
    let shown = dev
        .naq(&["dead", "show", "m1", "--json"])
        .ended_with(0)
        .json();
    assert_eq!(shown["body"]["payload"], json!([1]));
    dev.naq(&["dead", "show", "m1"]).ended_with(0);

    std::fs::write(dir.path().join("repaired"), "").unwrap();
    dev.naq(&["dead", "retry", "m1"]).ended_with(0);
    super::command::eventually("the job completes", || {
        dev.naq(&["result", "m1"]).code == Some(0)
    });
    assert_eq!(
        dev.naq(&["dead", "list", "--json"]).json()["dead_letters"],
        json!([])
    );
    worker.stop(Signal::TERM).ended_with(0);
}

#[test]
fn a_dead_letter_is_deleted_once() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let worker = dev.worker(HANDLERS);
    for id in ["a", "b"] {
        dev.naq(&["enqueue", "mail", "--id", id, "--wait=30s"])
            .ended_with(5);
    }
    let listed = dev
        .naq(&["dead", "list", "--limit", "1", "--json"])
        .ended_with(0)
        .json();
    assert_eq!(
        (
            listed["dead_letters"].as_array().unwrap().len(),
            &listed["more"]
        ),
        (1, &json!(true))
    );
    dev.naq(&["dead", "delete", "a"]).ended_with(0);
    for action in ["delete", "show", "retry"] {
        dev.naq(&["dead", action, "a"]).ended_with(7);
    }
    let elsewhere = dev
        .naq(&["dead", "list", "--queue", "other", "--json"])
        .ended_with(0)
        .json();
    assert_eq!(elsewhere["dead_letters"], json!([]));
    worker.stop(Signal::TERM).ended_with(0);
}
