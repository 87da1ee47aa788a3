//! The program as it is called, in short forms: does it measure, and does it say what it promises?

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::process::Command;

use serde_json::Value;

fn bench(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_naq-bench"))
        .args(arguments)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn bench_as_json(arguments: &[&str]) -> Value {
    serde_json::from_str(&bench(arguments)).unwrap()
}

#[test]
fn a_thousand_cold_starts_are_one_connection_and_a_backlog_arrives_whole() {
    let rows = "acquire,cold_start_1000,shutdown_backlog";
    let table = bench_as_json(&[
        "connections",
        "--quick",
        "--rounds",
        "1",
        "--json",
        "--only",
        rows,
    ]);
    let rows = table["rows"].as_array().unwrap();
    let names: Vec<&str> = rows
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["acquire", "cold_start_1000", "shutdown_backlog"]);
    for row in rows {
        let (ratio, raw) = (row["ratio"].as_f64().unwrap(), row["raw"].as_f64().unwrap());
        assert!(ratio >= 0.0 && raw > 0.0, "{row}");
    }
    // Counts do not depend on how fast the machine is.
    assert_eq!(
        (&rows[1]["naq"], &rows[1]["met"]),
        (&1.0.into(), &true.into())
    );
    assert_eq!(
        (&rows[2]["naq"], &rows[2]["met"]),
        (&0.0.into(), &true.into())
    );
}

#[test]
fn the_table_compares_leases_with_a_connection_per_operation_and_with_pools() {
    let rows = "publish_flush_64,round_trip_64";
    let table = bench(&["connections", "--quick", "--rounds", "1", "--only", rows]);
    for word in [
        "publish_flush_64",
        "round_trip_64",
        "naq lease",
        "raw client",
        "deadpool 16",
        "bb8 16",
        "connect per operation",
    ] {
        assert!(table.contains(word), "{word} is missing:\n{table}");
    }
}

#[test]
fn scopes_under_failures_leave_nothing_behind() {
    let report = bench_as_json(&["soak", "--for", "10s", "--json"]);
    let verdict = &report["verdict"];
    for left in [
        "files_left",
        "tasks_left",
        "leases_left",
        "connections_left",
    ] {
        assert!(verdict[left].as_i64().unwrap() <= 0, "{report}");
    }
    assert!(verdict["flat"].as_bool().unwrap(), "{report}");
    assert!(report["faults"].as_u64().unwrap() >= 5, "{report}");
    assert!(
        report["scopes"]["succeeded"].as_u64().unwrap() > 1000,
        "{report}"
    );
}
