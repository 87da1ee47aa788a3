//! `naq workflow explain`.

use naq::{Explanation, JobId, Jobs, NodeState, NodeStatus, WorkflowStatus};
use serde_json::{Value, json};

use super::{not_there, text};
use crate::commands::explain;
use crate::context::Context;
use crate::error::CliError;
use crate::output::Style;

/// Nodes that are explained one by one.
const MOST: usize = 20;

/// Say what a workflow waits for: each node that is not over, and why; or why it has failed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Of many nodes the first 20 are explained. Exit code 7: there is no such workflow.

Examples:
  naq workflow explain etl-01K3
  naq workflow explain etl-01K3 --json | jq -r '.open[].reasons[0].text'")]
pub(super) struct Args {
    /// The workflow's id
    id: JobId,

    /// Print JSON: `{"id", "state", "open": [{"node", "job_id", "reasons"}], "more", "waiting", "bad"}`
    #[arg(long)]
    json: bool,
}

/// A node that is begun and not over, and why.
struct Open<'a> {
    node: &'a NodeStatus,
    explained: Explanation,
}

pub(super) async fn run(context: &Context, jobs: &Jobs, args: Args) -> Result<(), CliError> {
    let all = jobs.workflows();
    let status = all.get(&args.id).await?;
    let status = status.ok_or_else(|| not_there(&args.id))?;
    let status = all.with_times(status).await?;
    let begun = status.nodes.iter();
    let begun = begun.filter(|node| node.state == NodeState::Running);
    let mut open = Vec::new();
    for node in begun.take(MOST) {
        if let Some(id) = &node.job_id {
            let explained = jobs.explain(id).await?;
            open.push(Open { node, explained });
        }
    }
    if args.json {
        return Ok(context.output.json(&described(&status, &open))?);
    }
    show(context, &status, &open)
}

/// Nodes that have failed or were cancelled.
fn bad(status: &WorkflowStatus) -> impl Iterator<Item = &NodeStatus> {
    let is_bad = |node: &&NodeStatus| {
        matches!(node.state, NodeState::Failed | NodeState::Cancelled) && node.outcome.is_some()
    };
    status.nodes.iter().filter(is_bad)
}

fn failure(node: &NodeStatus) -> Option<String> {
    let error = node.outcome.as_ref()?.error.as_ref()?;
    Some(format!(
        "{}: {}",
        error.reason,
        text::first_line(&error.message)
    ))
}

fn waiting(status: &WorkflowStatus) -> usize {
    status.count(NodeState::Waiting) + status.count(NodeState::Signalled)
}

fn described(status: &WorkflowStatus, open: &[Open<'_>]) -> Value {
    let open_nodes = open.iter().map(|open| {
        json!({
            "node": open.node.name,
            "job_id": open.node.job_id.as_ref().map(JobId::as_str),
            "status": open.explained.facts.status.word(),
            "reasons": open.explained.reasons.iter().map(explain::described).collect::<Value>(),
        })
    });
    let bad = bad(status).take(MOST).map(
        |node| json!({ "node": node.name, "state": node.state.as_str(), "error": failure(node) }),
    );
    json!({
        "id": status.id.as_str(),
        "state": status.state.as_str(),
        "stopped_because": status.stopped_because,
        "open": open_nodes.collect::<Value>(),
        "more": status.count(NodeState::Running) - open.len(),
        "waiting": waiting(status),
        "bad": bad.collect::<Value>(),
    })
}

fn show(context: &Context, status: &WorkflowStatus, open: &[Open<'_>]) -> Result<(), CliError> {
    let out = &context.output;
    out.line(text::headline(out, status))?;
    if let Some(reason) = &status.stopped_because {
        out.line(format!("  stopped: {reason}"))?;
    }
    let line = |node: &NodeStatus, more: &str| {
        let (mark, style) = text::mark(node.state);
        out.line(format!("{} {}{more}", out.styled(style, mark), node.name))
    };
    for node in bad(status).take(MOST) {
        let why = failure(node).map_or_else(String::new, |why| format!(": {why}"));
        line(node, &format!("  {}{why}", node.state.as_str()))?;
    }
    for Open { node, explained } in open {
        let id = &explained.facts.id;
        let word = explained.facts.status.word();
        let id = out.styled(Style::Faint, id.as_str());
        line(node, &format!("  {word}  {id}"))?;
        explain::list(context, explained, "    ")?;
    }
    match status.count(NodeState::Running) - open.len() {
        0 => {}
        more => out.line(format!("  and {more} more that are enqueued or run"))?,
    }
    match waiting(status) {
        0 => Ok(()),
        count => Ok(out.line(format!("{count} nodes wait for those above"))?),
    }
}
