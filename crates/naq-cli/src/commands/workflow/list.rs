//! `naq workflow list`.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use naq::{Jobs, NodeState, WorkflowState, WorkflowSummary};
use serde_json::{Value, json};

use crate::context::Context;
use crate::duration::rough;
use crate::error::CliError;
use crate::output::Table;

/// Most that one request brings.
const PAGE: usize = 1000;

/// List the workflows by id; those that are over are kept for a time
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only those in this state
    #[arg(short, long, value_name = "STATE")]
    status: Option<StateFlag>,

    /// Only those of this name
    #[arg(short, long)]
    name: Option<String>,

    /// Print JSON: `{"workflows": [...]}`
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum StateFlag {
    Running,
    Stopping,
    Completed,
    Failed,
    Cancelled,
}

impl StateFlag {
    fn state(self) -> WorkflowState {
        match self {
            Self::Running => WorkflowState::Running,
            Self::Stopping => WorkflowState::Stopping,
            Self::Completed => WorkflowState::Completed,
            Self::Failed => WorkflowState::Failed,
            Self::Cancelled => WorkflowState::Cancelled,
        }
    }
}

pub(super) async fn run(context: &Context, jobs: &Jobs, args: Args) -> Result<(), CliError> {
    let found = read(jobs, &args).await?;
    let out = &context.output;
    if args.json {
        let all: Vec<Value> = found.values().map(described).collect();
        return Ok(out.json(&json!({ "workflows": all }))?);
    }
    if found.is_empty() {
        out.note("no workflows; `naq workflow submit` begins one");
        return Ok(());
    }
    let mut table = Table::new(&[
        "ID",
        "STATE",
        "NODES",
        "ENDED",
        "RUNNING",
        "FAILED",
        "SUBMITTED",
    ]);
    for flow in found.values() {
        let count = |of: fn(&NodeState) -> bool| flow.nodes.iter().filter(|node| of(node)).count();
        table.row([
            flow.id.to_string(),
            flow.state.as_str().to_owned(),
            flow.nodes.len().to_string(),
            count(|node| node.has_ended()).to_string(),
            count(|node| *node == NodeState::Running).to_string(),
            count(|node| *node == NodeState::Failed).to_string(),
            format!("{} ago", rough(ago(flow.created_at_ms))),
        ]);
    }
    Ok(out.table(table)?)
}

/// All that are asked for, by id: one that advances meanwhile may come twice, and the newer one counts.
async fn read(jobs: &Jobs, args: &Args) -> Result<BTreeMap<String, WorkflowSummary>, CliError> {
    let (mut found, mut from) = (BTreeMap::new(), 0);
    loop {
        let page = jobs.workflows().list(from, PAGE).await?;
        for flow in page.workflows {
            found.insert(flow.id.to_string(), flow);
        }
        match page.next {
            Some(next) => from = next,
            None => break,
        }
    }
    found.retain(|_, flow| {
        let has_name = args.name.as_ref().is_none_or(|name| *name == flow.name);
        has_name && args.status.is_none_or(|state| state.state() == flow.state)
    });
    Ok(found)
}

fn described(flow: &WorkflowSummary) -> Value {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for node in &flow.nodes {
        *counts.entry(node.as_str()).or_default() += 1;
    }
    json!({
        "id": flow.id.as_str(),
        "name": flow.name,
        "state": flow.state.as_str(),
        "nodes": counts,
        "created_at_ms": flow.created_at_ms,
        "ended_at_ms": flow.ended_at_ms,
    })
}

fn ago(ms: u64) -> Duration {
    let then = UNIX_EPOCH + Duration::from_millis(ms);
    SystemTime::now().duration_since(then).unwrap_or_default()
}
