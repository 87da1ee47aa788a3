//! `naq explain`: why a job does not run, or a schedule does not fire.

use naq::{Explanation, FlowReason, JobId, Jobs, Reason, ScheduleName};
use serde_json::{Value, json};

use super::schedule::show_explanation;
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::output::Style;

/// Say why a job does not run, or what became of it; also a node of a workflow that waits for others, and a schedule
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A job is looked for first, then a schedule of that name. Exit code 7: there is neither.

Examples:
  naq explain invoice-17
  naq explain nightly-report        a schedule
  naq explain etl-01K3-6            the node 6 of a workflow; `naq workflow explain` takes them all
  naq explain invoice-17 --json | jq -r '.reasons[0].reason'")]
pub(crate) struct Args {
    /// The job's id, or the schedule's name
    id: JobId,

    /// Print JSON: `{"id", "status", "queue", "kind", "reasons": [{"reason", "text", ...}]}`; of a schedule `schedule` for `id`
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    context
        .with_jobs(async |jobs| explain(context, jobs, &args).await)
        .await
}

async fn explain(context: &Context, jobs: &Jobs, args: &Args) -> Result<(), CliError> {
    let explained = jobs.explain(&args.id).await?;
    let is_known = explained.reasons != [Reason::Unknown];
    let name = ScheduleName::new(args.id.as_str()).ok();
    if let Some(name) = name.filter(|_| !is_known)
        && let Some(schedule) = jobs.explain_schedule(&name).await?
    {
        return show_explanation(context, &schedule, args.json);
    }
    show(context, &explained, args.json)?;
    match is_known {
        true => Ok(()),
        false => Err(CliError::silent(exit_code::NOT_FOUND)),
    }
}

fn show(context: &Context, explained: &Explanation, as_json: bool) -> Result<(), CliError> {
    let (facts, out) = (&explained.facts, &context.output);
    if as_json {
        let reasons: Vec<_> = explained.reasons.iter().map(described).collect();
        return Ok(out.json(&json!({
            "id": facts.id.as_str(),
            "status": facts.status.word(),
            "queue": facts.queue,
            "kind": facts.kind,
            "reasons": reasons,
            "unread": facts.unread,
        }))?);
    }
    let place = match (&facts.kind, &facts.queue) {
        (Some(kind), Some(queue)) => format!(" ({kind}, queue {queue})"),
        (None, Some(queue)) => format!(" (queue {queue})"),
        _ => String::new(),
    };
    let word = out.styled(Style::Bold, facts.status.word());
    out.line(format!("{} is {word}{place}:", facts.id))?;
    list(context, explained, "  ")?;
    for part in &facts.unread {
        out.note(format!("could not be read: {part}"));
    }
    Ok(())
}

/// A reason as JSON, with its text.
pub(super) fn described(reason: &Reason) -> Value {
    let mut value = json!(reason);
    value["text"] = reason.to_string().into();
    value
}

/// The reasons, one below the other, and what to do about them.
pub(super) fn list(
    context: &Context,
    explained: &Explanation,
    indent: &str,
) -> Result<(), CliError> {
    let out = &context.output;
    for reason in &explained.reasons {
        out.line(format!("{indent}- {reason}"))?;
        if let Some(advice) = advice(&explained.facts.id, reason) {
            out.line(format!("{indent}  {}", out.styled(Style::Faint, &advice)))?;
        }
    }
    Ok(())
}

/// What to do about it.
fn advice(id: &JobId, reason: &Reason) -> Option<String> {
    Some(match reason {
        Reason::Awaits { job } => format!("`naq explain {job}` says what that waits for"),
        Reason::Flow(reason) => return flow_advice(id, reason),
        Reason::QueuePaused { queue, .. } => format!("`naq queue resume {queue}` lets it go on"),
        Reason::KindPaused { kind, .. } => format!("`naq kind resume {kind}` lets it go on"),
        Reason::QueueLimited { queue, .. } => {
            format!("`naq queue limit {queue}` shows its limits, and changes them")
        }
        Reason::NobodyServes { queue } => format!("start a worker: `naq worker {queue}`"),
        Reason::NobodyKnows { .. } => {
            "start a worker with a handler for it, or correct the kind".to_owned()
        }
        Reason::AllBusy { .. } => {
            "`naq top` shows what they do; more slots or workers help".to_owned()
        }
        Reason::Failed {
            dead_letter: true, ..
        } => "`naq dead show` shows its payload, `naq dead retry` runs it again".to_owned(),
        _ => return None,
    })
}

fn flow_advice(id: &JobId, reason: &FlowReason) -> Option<String> {
    Some(match reason {
        FlowReason::WaitsFor { workflow, .. } => {
            format!("`naq workflow explain {workflow}` says what those wait for")
        }
        FlowReason::WaitsForSignal { workflow, node } => {
            format!("`naq workflow signal {workflow} {node}` lets it go on")
        }
        FlowReason::JobRemoved { .. } => {
            format!("`naq job cancel {id}` ends it, so that its workflow goes on")
        }
        FlowReason::Workflow { .. } => {
            format!("`naq workflow explain {id}` says what its nodes wait for")
        }
        _ => return None,
    })
}
