//! A workflow as a file, YAML or JSON.

use std::time::Duration;

use naq::{Job, JobId, RetryPolicy, Workflow};
use serde::Deserialize;
use serde_json::Value;

use crate::duration::parse_positive;
use crate::error::CliError;

/// The whole.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    #[serde(default)]
    deadline: Option<String>,
    #[serde(default)]
    keep_results: Option<String>,
    nodes: Vec<Node>,
}

/// One node: a job (`kind`), or one of `wait`, `gate` and `existing`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Node {
    name: String,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    payload: Value,
    #[serde(default)]
    queue: Option<String>,
    #[serde(default)]
    retries: u32,
    #[serde(default)]
    retry_delay: Option<String>,
    #[serde(default)]
    timeout: Option<String>,
    #[serde(default)]
    delay: Option<String>,
    /// `true`, or how long.
    #[serde(default)]
    wait: Option<Value>,
    #[serde(default)]
    gate: bool,
    #[serde(default)]
    existing: Option<String>,
    #[serde(default)]
    may_fail: bool,
    #[serde(default)]
    after: Vec<String>,
    #[serde(default)]
    after_failure: Vec<String>,
    #[serde(default)]
    after_end: Vec<String>,
}

/// Reads a workflow from a text; `from` is where the text comes from.
pub(super) fn read(from: &str, text: &str) -> Result<Workflow, CliError> {
    let file: File = serde_saphyr::from_str(text).map_err(|error| {
        CliError::usage(format!("{from} describes no workflow: {error}")).hint(HINT)
    })?;
    let mut workflow = Workflow::new(file.name);
    if let Some(limit) = time("deadline", file.deadline.as_deref())? {
        workflow = workflow.deadline(limit);
    }
    if let Some(keep) = time("keep_results", file.keep_results.as_deref())? {
        workflow = workflow.keep_results(keep);
    }
    for node in file.nodes {
        workflow = add(workflow, node)?;
    }
    Ok(workflow)
}

fn add(workflow: Workflow, node: Node) -> Result<Workflow, CliError> {
    let name = node.name.clone();
    let mut added = match (&node.kind, &node.wait, node.gate, &node.existing) {
        (Some(kind), None, false, None) => workflow.node(name, job(kind.clone(), &node)?),
        (None, Some(Value::Bool(true)), false, None) => workflow.wait(name),
        (None, Some(limit), false, None) => {
            let text = limit
                .as_str()
                .map_or_else(|| limit.to_string(), str::to_owned);
            let limit = time("wait", Some(&text))?.unwrap_or_default();
            workflow.wait_at_most(name, limit)
        }
        (None, None, true, None) => workflow.gate(name),
        (None, None, false, Some(id)) => {
            let id = JobId::new(id.clone()).map_err(|e| CliError::usage(e.to_string()))?;
            workflow.existing(name, id)
        }
        _ => {
            let message =
                format!("the node {name} must have one of `kind`, `wait`, `gate` and `existing`");
            return Err(CliError::usage(message).hint(HINT));
        }
    };
    added = added
        .after(node.after)
        .after_failure(node.after_failure)
        .after_end(node.after_end);
    Ok(if node.may_fail {
        added.may_fail()
    } else {
        added
    })
}

fn job(kind: String, node: &Node) -> Result<Job, CliError> {
    let mut job = Job::from_payload(kind, &node.payload)?;
    let wait = time("retry_delay", node.retry_delay.as_deref())?;
    job = job.retry(RetryPolicy::fixed(
        node.retries,
        wait.unwrap_or(Duration::from_secs(1)),
    ));
    if let Some(queue) = &node.queue {
        job = job.queue(queue.clone())?;
    }
    if let Some(limit) = time("timeout", node.timeout.as_deref())? {
        job = job.timeout(limit);
    }
    if let Some(delay) = time("delay", node.delay.as_deref())? {
        job = job.delay(delay);
    }
    Ok(job)
}

fn time(field: &str, text: Option<&str>) -> Result<Option<Duration>, CliError> {
    let read = |text| parse_positive(text).map_err(|e| CliError::usage(format!("`{field}`: {e}")));
    text.map(read).transpose()
}

const HINT: &str = "it is written like `{name: etl, nodes: [{name: extract, kind: extract, payload: 1}, \
                    {name: load, kind: load, after: [extract]}]}`; `naq workflow submit --help` has an example";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sort_of_node_is_read() {
        let text = "
name: etl
deadline: 1h
nodes:
  - {name: a, kind: extract, payload: {of: orders}, queue: slow, retries: 3, timeout: 30s}
  - {name: ok, wait: true, after: [a]}
  - {name: soon, wait: 5m, after: [a], may_fail: true}
  - {name: all, gate: true, after: [ok, soon]}
  - {name: old, existing: job-1}
  - {name: alert, kind: mail, after_failure: [all], delay: 10s}
";
        assert!(read("the file", text).is_ok());
    }

    #[test]
    fn a_mistake_is_named() {
        let said = |text: &str| read("f.yaml", text).unwrap_err().message.unwrap();
        let both = "{name: w, nodes: [{name: a, kind: k, gate: true}]}";
        assert!(said(both).contains("the node a must have one of"));
        let unknown = "{name: w, nodes: [{name: a, kind: k, afer: [b]}]}";
        assert!(said(unknown).contains("afer"), "{}", said(unknown));
    }
}
