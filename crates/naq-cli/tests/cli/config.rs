//! `naq config`.

use std::fs;

use tempfile::tempdir;

use super::command::run;

#[test]
fn the_configuration_is_shown_with_where_each_value_comes_from() {
    let dir = tempdir().unwrap();
    let file =
        "nats:\n  servers: [\"nats://ada:hunter2@localhost:4222\"]\nworkers: {concurrency: 4}\n";
    fs::write(dir.path().join("naq.yaml"), file).unwrap();
    let said = run(dir.path(), &["config", "show", "--changed", "--json"]).ended_with(0);
    assert!(!said.out.contains("hunter2"), "{said:?}");
    let shown = said.json();
    let rows = shown["settings"].as_array().unwrap();
    let row = |key: &str| rows.iter().find(|row| row["key"] == key).unwrap().clone();
    assert_eq!(rows.len(), 2, "{shown}");
    assert_eq!(row("workers.concurrency")["value"], "4");
    assert_eq!(row("workers.concurrency")["origin"], "./naq.yaml:3:24");
    let said = run(dir.path(), &["config", "show", "--origin"]).ended_with(0);
    let old = run(dir.path(), &["system", "config", "--sources"]).ended_with(0);
    assert_eq!(old.out, said.out, "the name of the original");
    assert!(
        said.out.contains("default") && said.out.contains("naq.yaml:2:"),
        "{said:?}"
    );
}

#[test]
fn a_new_file_says_the_defaults_and_nobodys_file_is_replaced_unasked() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("naq.yaml");
    let said = run(dir.path(), &["config", "init"]).ended_with(0);
    assert!(said.err.contains("wrote ./naq.yaml"), "{said:?}");
    let written = fs::read_to_string(&file).unwrap();
    let changed = run(dir.path(), &["config", "show", "--changed", "--json"]).ended_with(0);
    assert_eq!(
        changed.json()["settings"].as_array().unwrap().len(),
        0,
        "{changed:?}"
    );
    for row in run(dir.path(), &["config", "show"])
        .ended_with(0)
        .out
        .lines()
        .skip(1)
    {
        let key = row.split_whitespace().next().unwrap();
        let name = key.rsplit('.').next().unwrap();
        assert!(written.contains(&format!("#{name}: ")), "{key}");
    }
    let said = run(dir.path(), &["config", "init", "--minimal"]).ended_with(3);
    assert!(said.err.contains("--force"), "{said:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), written);
    run(dir.path(), &["config", "init", "--minimal", "--force"]).ended_with(0);
    let minimal = fs::read_to_string(&file).unwrap();
    assert!(minimal.len() < written.len() / 4, "{minimal}");
    let said = run(dir.path(), &["config", "init", "--path", "-"]).ended_with(0);
    assert_eq!((said.out, said.err.as_str()), (written, ""));
    let said = run(
        dir.path(),
        &["config", "init", "--path", "no/such/naq.yaml"],
    )
    .ended_with(1);
    assert!(said.err.contains("no/such/naq.yaml"), "{said:?}");
}

#[test]
fn a_file_for_an_environment_has_its_values_switched_on() {
    let dir = tempdir().unwrap();
    let init = ["system", "config-init", "-e", "testing", "-o", "naq.yaml"];
    run(dir.path(), &init).ended_with(0);
    let changed = run(dir.path(), &["config", "show", "--changed", "--json"]).ended_with(0);
    let changed = changed.json();
    let rows = changed["settings"].as_array().unwrap().iter();
    let mut set: Vec<_> = rows.map(|row| (&row["key"], &row["value"])).collect();
    set.sort_by_key(|(key, _)| key.to_string());
    let said = serde_json::to_value(set).unwrap();
    let meant = serde_json::json!([["events.enabled", "false"], ["workers.concurrency", "1"]]);
    assert_eq!(said, meant);
    let minimal = ["config", "init", "--minimal", "--path", "-"];
    let old = ["system", "config-init", "-e", "minimal", "-o", "-"];
    let minimal = run(dir.path(), &minimal).ended_with(0).out;
    assert_eq!(run(dir.path(), &old).ended_with(0).out, minimal);
    // G-12: the original wrote the file of another environment.
    let said = run(dir.path(), &["system", "config-init", "-e", "nosuchenv"]).ended_with(2);
    assert!(said.err.contains("production"), "{said:?}");
}

#[test]
fn a_check_tells_all_problems_with_their_places_and_ends_with_3() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("naq.yaml"), "workers: {concurrency: 4}\n").unwrap();
    let said = run(dir.path(), &["config", "validate"]).ended_with(0);
    assert!(said.err.contains("valid; read from ./naq.yaml"), "{said:?}");
    let said = run(dir.path(), &["config", "validate", "--json"]).ended_with(0);
    assert_eq!(said.json()["valid"], true);
    assert_eq!(said.json()["files"][0], "./naq.yaml");
    let old = run(dir.path(), &["system", "config", "--validate", "--json"]).ended_with(0);
    assert_eq!(old.json(), said.json(), "the name of the original");
    run(dir.path(), &["system", "config", "--validate", "--sources"]).ended_with(2);

    let text = "nats:\n  servers: [nats://a, http://b, nope]\nworkers:\n  concurency: 4\n";
    fs::write(dir.path().join("other.yaml"), text).unwrap();
    let said = run(dir.path(), &["config", "validate", "other.yaml"]).ended_with(3);
    for part in [
        "3 problems",
        "other.yaml:2:23: nats.servers[1]: Invalid NATS server URL format",
        "other.yaml:2:33: nats.servers[2]: Invalid NATS server URL format",
        "other.yaml:4:3: workers.concurency: unknown key; did you mean `concurrency`?",
    ] {
        assert!(said.err.contains(part), "{part} in {said:?}");
    }
    let said = run(dir.path(), &["config", "validate", "other.yaml", "--json"]).ended_with(3);
    let problems = said.json()["problems"].clone();
    assert_eq!(problems.as_array().unwrap().len(), 3);
    assert_eq!(
        (
            &problems[2]["line"],
            &problems[2]["column"],
            &problems[2]["key"]
        ),
        (&4.into(), &3.into(), &"workers.concurency".into())
    );
    let said = run(dir.path(), &["config", "validate", "missing.yaml"]).ended_with(3);
    assert!(
        said.err.contains("missing.yaml: cannot be read"),
        "{said:?}"
    );
}

#[test]
fn the_schema_is_one_json_document() {
    let dir = tempdir().unwrap();
    let schema = run(dir.path(), &["config", "schema"]).ended_with(0).json();
    assert_eq!(
        schema["properties"]["nats"]["properties"]["tls"]["additionalProperties"],
        false
    );
}
