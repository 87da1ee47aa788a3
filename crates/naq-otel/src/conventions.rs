//! Names and attributes of spans, by the OpenTelemetry conventions for messaging (1.27 and later).

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use naq_jobs::{SpanEnd, SpanStart, TraceOperation};
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanKind, Status};

/// Longest text of an error, in bytes.
const MAX_TEXT: usize = 1024;

/// `<operation> <destination>`.
pub(crate) fn name(start: &SpanStart<'_>) -> Cow<'static, str> {
    match start.destination {
        Some(destination) => format!("{} {destination}", start.operation).into(),
        None => start.operation.as_str().into(),
    }
}

pub(crate) fn kind(operation: TraceOperation) -> SpanKind {
    match operation {
        TraceOperation::Process => SpanKind::Consumer,
        _ => SpanKind::Producer,
    }
}

/// What is known at the start.
pub(crate) fn attributes(start: &SpanStart<'_>) -> Vec<KeyValue> {
    let operation_type = match start.operation {
        TraceOperation::Process => "process",
        _ => "send",
    };
    let mut all = vec![
        KeyValue::new("messaging.system", "nats"),
        KeyValue::new("messaging.operation.name", start.operation.as_str()),
        KeyValue::new("messaging.operation.type", operation_type),
    ];
    let mut text = |name: &'static str, value: Option<&str>| {
        if let Some(value) = value {
            all.push(KeyValue::new(name, value.to_owned()));
        }
    };
    text("messaging.destination.name", start.destination);
    text("messaging.message.id", start.job_id);
    text("messaging.client.id", start.worker);
    text("naq.job.kind", start.kind);
    text("naq.schedule.name", start.schedule.map(|(name, _)| name));
    text("naq.workflow.id", start.workflow.map(|(id, _)| id));
    let mut number = |name: &'static str, value: Option<i64>| {
        if let Some(value) = value {
            all.push(KeyValue::new(name, value));
        }
    };
    number("naq.job.attempt", start.attempt.map(i64::from));
    number(
        "naq.workflow.node",
        start.workflow.map(|(_, node)| i64::from(node)),
    );
    number(
        "naq.schedule.instant",
        start.schedule.and_then(|(_, at)| seconds(at)),
    );
    all
}

/// What is known at the end.
pub(crate) fn last_attributes(operation: TraceOperation, end: &SpanEnd<'_>) -> Vec<KeyValue> {
    let mut all = Vec::new();
    let id = match operation {
        TraceOperation::Submit => "naq.workflow.id",
        _ => "messaging.message.id",
    };
    if let Some(value) = end.job_id {
        all.push(KeyValue::new(id, value.to_owned()));
    }
    if let Some(count) = end.count.and_then(|count| i64::try_from(count).ok()) {
        all.push(KeyValue::new("messaging.batch.message_count", count));
    }
    if let Some(outcome) = end.outcome {
        all.push(KeyValue::new("naq.job.outcome", outcome.to_owned()));
    }
    if let Some((name, _)) = end.error {
        all.push(KeyValue::new("error.type", name.to_owned()));
    }
    all
}

/// The status; unset unless it failed, as the conventions want it.
pub(crate) fn status(end: &SpanEnd<'_>) -> Status {
    match end.error {
        Some((_, text)) => {
            let end = text.floor_char_boundary(MAX_TEXT);
            Status::error(text.get(..end).unwrap_or_default().to_owned())
        }
        None => Status::Unset,
    }
}

fn seconds(at: SystemTime) -> Option<i64> {
    let since = at.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_error_is_cut_between_characters() {
        let text = "é".repeat(MAX_TEXT);
        let mut end = SpanEnd::default();
        assert_eq!(status(&end), Status::Unset);
        end.error = Some(("error", &text));
        let Status::Error { description } = status(&end) else {
            panic!("it failed");
        };
        assert_eq!(description.len(), MAX_TEXT);
    }

    #[test]
    fn a_span_is_named_by_what_it_does_and_where() {
        let mut start = SpanStart::new(TraceOperation::Enqueue);
        assert_eq!(name(&start), "enqueue");
        start.destination = Some("mail");
        assert_eq!(name(&start), "enqueue mail");
        assert_eq!(kind(start.operation), SpanKind::Producer);
        assert_eq!(kind(TraceOperation::Process), SpanKind::Consumer);
    }
}
