//! `naq workflow show`.

use std::path::PathBuf;

use naq::{JobId, Jobs, NodeKind, NodeStatus, WorkflowStatus};
use serde_json::{Value, json};

use super::text::{self, moment};
use super::{dot, not_there, svg};
use crate::context::Context;
use crate::error::CliError;

/// Show a workflow: the graph with the state of each node, and the path that took longest
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  naq workflow show etl-01K3
  naq workflow show etl-01K3 --dot | dot -Tpdf > etl.pdf
  naq workflow show etl-01K3 --svg etl.svg")]
pub(super) struct Args {
    /// The workflow's id
    id: JobId,

    /// Print JSON
    #[arg(long, conflicts_with_all = ["dot", "svg"])]
    json: bool,

    /// Print the graph for Graphviz
    #[arg(long, conflicts_with = "svg")]
    dot: bool,

    /// Draw the graph into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

pub(super) async fn run(context: &Context, jobs: &Jobs, args: Args) -> Result<(), CliError> {
    let all = jobs.workflows();
    let status = all
        .get(&args.id)
        .await?
        .ok_or_else(|| not_there(&args.id))?;
    let status = all.with_times(status).await?;
    let out = &context.output;
    if args.json {
        return Ok(out.json(&described(&status))?);
    }
    if args.dot {
        return Ok(out.bytes(dot::draw(&status).as_bytes())?);
    }
    if let Some(path) = args.svg {
        let drawn = svg::draw(&status)?;
        std::fs::write(&path, drawn).map_err(|e| {
            CliError::usage(format!("failed to write {}", path.display())).because(&e)
        })?;
        out.note(format!("drawn: {}", path.display()));
        return Ok(());
    }
    text::show(context, &status)
}

/// What is known of it, as JSON.
fn described(status: &WorkflowStatus) -> Value {
    let (path, time) = status.critical_path();
    let names: Vec<&str> = path.iter().map(|node| node.name.as_str()).collect();
    json!({
        "id": status.id.as_str(),
        "name": status.name,
        "state": status.state.as_str(),
        "retries": status.retries,
        "created_at": moment(status.created_at),
        "ended_at": status.ended_at.map(moment),
        "deadline": status.deadline.map(moment),
        "stopped_because": status.stopped_because,
        "critical_path": { "nodes": names, "ms": u64::try_from(time.as_millis()).unwrap_or(u64::MAX) },
        "nodes": status.nodes.iter().map(|node| node_described(status, node)).collect::<Value>(),
    })
}

fn node_described(status: &WorkflowStatus, node: &NodeStatus) -> Value {
    let needs = node
        .needs
        .iter()
        .map(|(from, on)| json!({ "node": status.nodes[*from].name, "on": on }));
    let (kind, queue) = match &node.kind {
        NodeKind::Job { kind, queue } => (kind.as_str(), Some(queue)),
        NodeKind::Wait => ("wait", None),
        NodeKind::Gate => ("gate", None),
        _ => ("existing", None),
    };
    json!({
        "name": node.name,
        "state": node.state.as_str(),
        "kind": kind,
        "queue": queue,
        "needs": needs.collect::<Value>(),
        "may_fail": node.may_fail,
        "job_id": node.job_id.as_ref().map(JobId::as_str),
        "outcome": node.outcome,
    })
}
