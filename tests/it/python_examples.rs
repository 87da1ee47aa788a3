//! The examples in Python, run as they say: a script that enqueues, and one that handles.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use naq_config::Loader;
use serde_json::{Value, json};

use crate::python::from_pypi;
use crate::setup::{Bed, LONG};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/python")
}

/// The producer, with these arguments.
async fn produce(arguments: Vec<String>) -> Output {
    let run = tokio::task::spawn_blocking(|| {
        Command::new("python3")
            .arg(examples().join("producer.py"))
            .args(arguments)
            .env("PYTHONPATH", from_pypi("nats-py==2.16.0"))
            .output()
            .unwrap()
    });
    run.await.unwrap()
}

#[tokio::test]
async fn a_python_producer_gets_its_results_from_a_python_handler() {
    let file = Loader::new().file(examples().join("naq.yaml")).load();
    let mut handlers = file.unwrap().settings.workers.handlers;
    for handler in handlers.values_mut() {
        handler.working_directory = Some(examples());
    }
    let bed = Bed::with(|settings| settings.workers.handlers = handlers).await;
    let worker = bed.jobs.worker().handle_configured_commands().unwrap();
    let worker = worker.start().await.unwrap();
    let url = bed.server.url().to_string();
    let texts = ["the quick brown fox".to_owned(), "Größe zählt".to_owned()];
    let output = produce([vec![url], texts.to_vec()].concat()).await;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let lines = std::str::from_utf8(&output.stdout).unwrap().lines();
    let said: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let expected = [("quick", 4), ("Größe", 2)].map(|(longest, words)| {
        let result = json!({ "words": words, "longest": longest, "attempt": 1 });
        json!({ "status": "completed", "result": result })
    });
    assert_eq!(said, expected);
    assert_eq!(worker.stop(LONG).await.completed, 2);
}
