//! How an event is printed: a line for people, one of JSON, or fields for `awk`.

use std::fmt::Write;

use naq::{Event, EventType};

use crate::context::Context;
use crate::error::CliError;
use crate::output::Style;

/// The forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// A line for people
    Table,
    /// One JSON object on each line
    Json,
    /// Fields with tabs: milliseconds since 1970, type, queue, kind, worker, job
    Raw,
}

/// Prints one event.
pub(super) fn print(context: &Context, format: Format, event: &Event) -> Result<(), CliError> {
    let out = &context.output;
    match format {
        Format::Table => out.line(line(context, event))?,
        // On one line each, also for a person: it is a stream.
        Format::Json => out.line(serde_json::to_string(event).map_err(std::io::Error::other)?)?,
        Format::Raw => out.line(fields(event))?,
    }
    Ok(())
}

fn line(context: &Context, event: &Event) -> String {
    let style = match event.event_type {
        EventType::Failed | EventType::DeadLettered | EventType::WorkerError | EventType::Gap => {
            Style::Bad
        }
        EventType::Completed => Style::Good,
        EventType::RetryScheduled => Style::Notable,
        _ => Style::Faint,
    };
    let name = format!("{:<18}", event.event_type.as_str());
    let mut line = format!(
        "{}  {}",
        time(event.at_ms),
        context.output.styled(style, &name)
    );
    let subject = event
        .job_id()
        .or(event.body.schedule.as_deref())
        .or(event.worker.as_deref());
    // Writing to a string cannot fail.
    let _ignored = write!(line, "  {:<26}", subject.unwrap_or("-"));
    for text in [&event.kind, &event.queue].into_iter().flatten() {
        let _ignored = write!(line, "  {text}");
    }
    line.push_str(&said(event));
    line
}

/// What an event says besides.
fn said(event: &Event) -> String {
    let body = &event.body;
    let mut text = String::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ignored = write!(text, "  {name}={value}");
        }
    };
    add(
        "attempt",
        body.attempt.filter(|n| *n > 1).map(|n| n.to_string()),
    );
    add("took", body.duration_ms.map(|ms| format!("{ms}ms")));
    add("waited", body.wait_ms.map(|ms| format!("{ms}ms")));
    add("due", body.due_ms.map(time));
    add("reason", body.reason.clone());
    add("lost", body.lost.map(|n| n.to_string()));
    let error = body.error.as_deref().or(body.message.as_deref());
    add("says", error.map(|error| format!("{error:?}")));
    text
}

fn fields(event: &Event) -> String {
    let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "-".to_owned());
    [
        event.at_ms.to_string(),
        event.event_type.to_string(),
        part(&event.queue),
        part(&event.kind),
        part(&event.worker),
        part(&event.body.job_id),
    ]
    .join("\t")
}

/// In UTC, to the millisecond.
pub(super) fn time(ms: u64) -> String {
    let at = i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.map_or_else(|| "?".to_owned(), |at| format!("{at:.3}"))
}
