//! `naq workflow cancel`, `retry` and `delete`.

use naq::{JobId, Jobs, JobsErrorKind, NodeState, WorkflowStatus};
use serde_json::json;

use super::not_there;
use crate::context::Context;
use crate::error::CliError;

/// Cancel a workflow: nothing of it begins any more, what waits is removed, and handlers that run are told
///
/// They have 5 s to end by themselves. The workflow is over at once.
#[derive(Debug, clap::Args)]
pub(super) struct CancelArgs {
    /// The workflow's id
    id: JobId,

    /// Why, for its outcome
    #[arg(
        short,
        long,
        value_name = "TEXT",
        default_value = "cancelled from the command line"
    )]
    reason: String,

    /// Only say how many nodes would not begin, and how many jobs would be cancelled
    #[arg(long)]
    dry_run: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Run nodes of a workflow that is over once more, and all that come after them
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  naq workflow retry etl-01K3                 what has failed or was cancelled
  naq workflow retry etl-01K3 --from load     this node, whatever its end was
  naq workflow retry etl-01K3 --dry-run")]
pub(super) struct RetryArgs {
    /// The workflow's id
    id: JobId,

    /// Begin with this node; may be repeated [default: those that have failed or were cancelled]
    #[arg(short, long, value_name = "NODE")]
    from: Vec<String>,

    /// Only say which nodes would begin again
    #[arg(long)]
    dry_run: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Remove a workflow that is over; outcomes of its jobs stay
#[derive(Debug, clap::Args)]
pub(super) struct DeleteArgs {
    /// The workflow's id
    id: JobId,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn cancel(
    context: &Context,
    jobs: &Jobs,
    args: CancelArgs,
) -> Result<(), CliError> {
    let out = &context.output;
    let status = read(jobs, &args.id).await?;
    let open = status.count(NodeState::Waiting) + status.count(NodeState::Signalled);
    if args.dry_run {
        let running = status.count(NodeState::Running);
        if args.json {
            let would = json!({ "id": args.id.as_str(), "would_cancel": open + running, "running": running });
            return Ok(out.json(&would)?);
        }
        return Ok(out.line(format!(
            "{open} nodes would not begin, and {running} that wait in a queue or run would be cancelled"
        ))?);
    }
    let is_done = jobs.workflows().cancel(&args.id, &args.reason).await?;
    let status = read(jobs, &args.id).await?;
    if args.json {
        let done = json!({
            "id": args.id.as_str(),
            "cancelled": is_done,
            "nodes": status.count(NodeState::Cancelled),
        });
        return Ok(out.json(&done)?);
    }
    let count = status.count(NodeState::Cancelled);
    Ok(out.line(match is_done {
        true => format!("{} is cancelled, {count} nodes of it", args.id),
        false => format!("{} was over before: {}", args.id, status.state.as_str()),
    })?)
}

pub(super) async fn retry(context: &Context, jobs: &Jobs, args: RetryArgs) -> Result<(), CliError> {
    let out = &context.output;
    if args.dry_run {
        let status = read(jobs, &args.id).await?;
        let names = would_begin(&status, &args.from)?;
        if args.json {
            return Ok(out.json(&json!({ "id": args.id.as_str(), "would_begin": names }))?);
        }
        return Ok(out.line(format!(
            "{} nodes would begin again: {}",
            names.len(),
            names.join(", ")
        ))?);
    }
    let from: Vec<&str> = args.from.iter().map(String::as_str).collect();
    let count = jobs.workflows().retry(&args.id, &from).await?;
    if args.json {
        return Ok(out.json(&json!({ "id": args.id.as_str(), "begun": count }))?);
    }
    Ok(out.line(format!("{count} nodes of {} begin again", args.id))?)
}

pub(super) async fn delete(
    context: &Context,
    jobs: &Jobs,
    args: DeleteArgs,
) -> Result<(), CliError> {
    match jobs.workflows().delete(&args.id).await {
        Ok(true) => {}
        Ok(false) => return Err(not_there(&args.id)),
        Err(error) if error.kind() == JobsErrorKind::InvalidWorkflow => {
            return Err(CliError::from(error).hint("`naq workflow cancel` cancels it"));
        }
        Err(error) => return Err(error.into()),
    }
    if args.json {
        return Ok(context.output.json(&json!({ "id": args.id.as_str() }))?);
    }
    Ok(context.output.line(format!("{} is deleted", args.id))?)
}

async fn read(jobs: &Jobs, id: &JobId) -> Result<WorkflowStatus, CliError> {
    jobs.workflows().get(id).await?.ok_or_else(|| not_there(id))
}

/// The nodes that a retry would begin again.
fn would_begin(status: &WorkflowStatus, from: &[String]) -> Result<Vec<String>, CliError> {
    if let Some(unknown) = from.iter().find(|name| status.node(name).is_none()) {
        let message = format!("there is no node {unknown} in {}", status.id);
        return Err(CliError::new(crate::exit_code::NOT_FOUND, message));
    }
    let mut is_in = vec![false; status.nodes.len()];
    for index in status.in_order() {
        let node = &status.nodes[index];
        let is_first = match from.is_empty() {
            true => matches!(node.state, NodeState::Failed | NodeState::Cancelled),
            false => from.contains(&node.name),
        };
        is_in[index] = is_first || node.needs.iter().any(|(parent, _)| is_in[*parent]);
    }
    let chosen = status.nodes.iter().zip(is_in).filter(|(_, is_in)| *is_in);
    Ok(chosen.map(|(node, _)| node.name.clone()).collect())
}
