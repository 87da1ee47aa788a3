//! `naq explain`: why a job does not run, or a schedule does not fire.

use naq::{Explanation, JobId, Jobs, Reason, ScheduleExplanation, ScheduleName, ScheduleReason};
use serde_json::json;

use super::schedule::{rule, state, when};
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::logging::{self, Level};
use crate::output::Style;

/// Say why a job does not run, or what became of it; or why a schedule does not fire, and when it does
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A job is looked for first, then a schedule of that name. Exit code 7: there is neither.

Examples:
  naq explain invoice-17
  naq explain nightly-report
  naq explain invoice-17 --json | jq -r '.reasons[0].reason'")]
pub(crate) struct Args {
    /// The job's id, or the schedule's name
    id: JobId,

    /// Print JSON: `{"id", "status", "queue", "kind", "reasons": [{"reason", "text", ...}]}`; of a schedule `schedule` for `id`
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    context.start_logging(Level::Warn, logging::ERRORS_ARE_SHOWN);
    let jobs = context.jobs().await?;
    let explained = explain(context, &jobs, &args).await;
    jobs.shutdown().await;
    explained
}

async fn explain(context: &Context, jobs: &Jobs, args: &Args) -> Result<(), CliError> {
    let explained = jobs.explain(&args.id).await?;
    let is_known = explained.reasons != [Reason::Unknown];
    let name = ScheduleName::new(args.id.as_str()).ok();
    if let Some(name) = name.filter(|_| !is_known)
        && let Some(schedule) = jobs.explain_schedule(&name).await?
    {
        return show_schedule(context, &schedule, args.json);
    }
    show(context, &explained, args.json)?;
    match is_known {
        true => Ok(()),
        false => Err(CliError::silent(exit_code::NOT_FOUND)),
    }
}

fn show_schedule(
    context: &Context,
    explained: &ScheduleExplanation,
    as_json: bool,
) -> Result<(), CliError> {
    let (schedule, out) = (&explained.schedule, &context.output);
    let state = state(schedule);
    if as_json {
        let reasons = explained.reasons.iter().map(|reason| {
            let mut value = json!(reason);
            value["text"] = reason.to_string().into();
            value
        });
        return Ok(out.json(&json!({
            "schedule": schedule.name().as_str(),
            "status": state,
            "queue": schedule.queue(),
            "kind": schedule.kind(),
            "reasons": reasons.collect::<Vec<_>>(),
        }))?);
    }
    let (word, rule) = (out.styled(Style::Bold, state), rule(schedule));
    out.line(format!(
        "{} is {word} ({rule}; {}, queue {}):",
        schedule.name(),
        schedule.kind(),
        schedule.queue()
    ))?;
    for reason in &explained.reasons {
        let at = match reason {
            ScheduleReason::Fires { at, .. } => format!(": {}", when(*at, schedule.zone())),
            _ => String::new(),
        };
        out.line(format!("  - {reason}{at}"))?;
        let name = schedule.name();
        let advice = match reason {
            ScheduleReason::Paused => format!("`naq schedule resume {name}` lets it go on"),
            ScheduleReason::Finished => {
                format!("`naq schedule modify {name}` with a later end or more runs lets it go on")
            }
            ScheduleReason::KeptBack { after: job, .. } | ScheduleReason::Overlaps { job, .. } => {
                format!("`naq explain {job}` says what that waits for")
            }
            ScheduleReason::NobodyServes { queue } => {
                format!("start a worker: `naq worker {queue}`")
            }
            ScheduleReason::Overdue { .. } => "start a worker: `naq worker`".to_owned(),
            _ => continue,
        };
        out.line(format!("    {}", out.styled(Style::Faint, &advice)))?;
    }
    Ok(())
}

fn show(context: &Context, explained: &Explanation, as_json: bool) -> Result<(), CliError> {
    let (facts, out) = (&explained.facts, &context.output);
    if as_json {
        let reasons: Vec<_> = explained
            .reasons
            .iter()
            .map(|reason| {
                let mut value = json!(reason);
                value["text"] = reason.to_string().into();
                value
            })
            .collect();
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
    for reason in &explained.reasons {
        out.line(format!("  - {reason}"))?;
        if let Some(advice) = advice(reason) {
            out.line(format!("    {}", out.styled(Style::Faint, &advice)))?;
        }
    }
    for part in &facts.unread {
        out.note(format!("could not be read: {part}"));
    }
    Ok(())
}

/// What to do about it.
fn advice(reason: &Reason) -> Option<String> {
    Some(match reason {
        Reason::Awaits { job } => format!("`naq explain {job}` says what that waits for"),
        Reason::QueuePaused { queue, .. } => format!("`naq queue resume {queue}` lets it go on"),
        Reason::KindPaused { kind, .. } => format!("`naq kind resume {kind}` lets it go on"),
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
