//! The JSON Schema, judged by a validator of its own.

use jsonschema::Validator;
use naq_config::{Loader, default_file, json_schema, known_keys, minimal_file};
use serde_json::Value;

use crate::documented::{SCHEMA, SCHEMA_WITH_VARIABLES};

fn validator() -> Validator {
    jsonschema::draft202012::new(&json_schema()).unwrap()
}

fn as_json(text: &str) -> Value {
    // This way of reading has a limit on comments in a row, which our own does not have.
    let lines = text.lines().filter(|line| !line.trim().starts_with('#'));
    serde_saphyr::from_str(&lines.collect::<Vec<_>>().join("\n")).unwrap()
}

#[test]
fn the_schema_takes_the_default_file_and_every_documented_file() {
    let validator = validator();
    let profiles = "
environments:
  development: {nats: {servers: ['nats://localhost:4222'], client_name: dev-client}}
  old: {name: old, overrides: {nats.client_name: old-client}}
";
    for text in [
        &default_file(),
        &minimal_file(),
        SCHEMA,
        SCHEMA_WITH_VARIABLES,
        profiles,
    ] {
        assert!(Loader::new().text(text).load().is_ok(), "{text}");
        let errors: Vec<_> = validator
            .iter_errors(&as_json(text))
            .map(|e| e.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:?} in {text}");
    }
}

#[test]
fn the_schema_refuses_what_is_misspelt_or_of_the_wrong_form() {
    for text in [
        "nats: {server: ['nats://a']}",
        "nets: {}",
        "nats: {client_name: [a]}",
        "nats: {max_reconnect_attempts: -2}",
        "nats: {tls: {enabled: perhaps}}",
        "queues: {replicas: 6}",
        "queues: {storage: tape}",
        "queues: {max_deliver: 0}",
        "queues: {ack_wait: soon}",
        "queues: {configs: {q: {ackwait: 1}}}",
        "results: {max_bytes: 1 parsec}",
        "workers: {handlers: {k: {command: run it}}}",
        "environments: {staging: {worker: {}}}",
        "nats: []",
    ] {
        assert!(!validator().is_valid(&as_json(text)), "{text}");
        assert!(Loader::new().text(text).load().is_err(), "{text}");
    }
}

/// The path of a key as nested maps around `value`.
fn nested(path: &str, value: &str) -> String {
    let names = [
        ("<queue>", "q"),
        ("<pool>", "p"),
        ("<kind>", "k"),
        ("<variable>", "V"),
    ];
    let path = names.iter().fold(path.to_owned(), |path, (wild, name)| {
        path.replace(wild, name)
    });
    let open: String = path
        .split('.')
        .map(|segment| format!("{{{segment}: "))
        .collect();
    format!("{open}{value}{}", "}".repeat(path.split('.').count()))
}

#[test]
fn the_schema_takes_every_value_that_a_key_takes() {
    let validator = validator();
    let mut taken = 0;
    for info in known_keys() {
        for value in [
            "1",
            "0",
            "5",
            "-1",
            "2.5",
            "\"7\"",
            "true",
            "'on'",
            "OFF",
            "text",
            "''",
            "null",
            "[a]",
            "[1, true]",
            "64KiB",
            "1 mb",
            "500ms",
            "1h 30m",
            "7d",
            "unlimited",
            "Memory",
            "nats://a",
            "'nats://a,tls://b'",
            "'$$'",
            "'${A:5}'",
            "'${A:file}'",
            "'${A:nats://a}'",
            "' 5 '",
            "1000000",
        ] {
            let text = nested(info.path, value);
            let problems = match Loader::new().text(&text).load() {
                Ok(_) => Vec::new(),
                Err(error) => error.problems().to_vec(),
            };
            // What is wrong may be another key that belongs to this one, which no schema knows.
            let shape_is_wrong = problems.iter().any(|p| p.message.starts_with("must be"));
            if problems.is_empty() {
                taken += 1;
                let errors: Vec<_> = validator
                    .iter_errors(&as_json(&text))
                    .map(|e| e.to_string())
                    .collect();
                assert!(errors.is_empty(), "{text}: {errors:?}");
            } else if !shape_is_wrong {
                assert!(validator.is_valid(&as_json(&text)), "{text}: {problems:?}");
            }
        }
    }
    assert!(taken > 300, "{taken}");
}
