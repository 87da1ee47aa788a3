//! `naq explain` of a schedule.

use naq::{ScheduleExplanation, ScheduleReason};
use serde_json::json;

use super::show::{rule, state, when};
use crate::context::Context;
use crate::error::CliError;
use crate::output::Style;

/// Prints why a schedule does not fire, and when it does.
pub(crate) fn show_explanation(
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
