//! A span as a test looks at it.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

/// A span as it came to the collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectedSpan {
    /// The service that sent it (`service.name`).
    pub service: String,
    /// What it is called.
    pub name: String,
    /// `internal`, `server`, `client`, `producer` or `consumer`.
    pub kind: &'static str,
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// The span above, if there is one.
    pub parent_id: Option<String>,
    /// The spans that it is linked to: trace and span.
    pub links: Vec<(String, String)>,
    /// Attributes, as text.
    pub attributes: BTreeMap<String, String>,
    /// What went wrong, if it did.
    pub error: Option<String>,
    /// Nanoseconds since 1970.
    pub started_at: u64,
    /// Nanoseconds since 1970.
    pub ended_at: u64,
}

impl CollectedSpan {
    /// An attribute; empty if it has none of this name.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    /// Whether `other` is the span above.
    pub fn is_below(&self, other: &Self) -> bool {
        self.trace_id == other.trace_id && self.parent_id.as_ref() == Some(&other.span_id)
    }

    /// Whether it is linked to `other`.
    pub fn is_linked_to(&self, other: &Self) -> bool {
        let names =
            |(trace, span): &(String, String)| *trace == other.trace_id && *span == other.span_id;
        self.links.iter().any(names)
    }
}

pub(super) fn spans_of(request: ExportTraceServiceRequest) -> Vec<CollectedSpan> {
    let mut all = Vec::new();
    for resource in request.resource_spans {
        let attributes = resource.resource.map(|resource| texts(resource.attributes));
        let service = attributes.and_then(|mut all| all.remove("service.name"));
        let service = service.unwrap_or_default();
        for scope in resource.scope_spans {
            let read = |span| read(service.clone(), span);
            all.extend(scope.spans.into_iter().map(read));
        }
    }
    all
}

fn read(service: String, span: Span) -> CollectedSpan {
    let kind = match span.kind() {
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
        SpanKind::Internal | SpanKind::Unspecified => "internal",
    };
    let failed = span
        .status
        .filter(|status| status.code() == StatusCode::Error);
    CollectedSpan {
        service,
        kind,
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent_id: Some(hex(&span.parent_span_id)).filter(|id| !id.is_empty()),
        links: span
            .links
            .iter()
            .map(|link| (hex(&link.trace_id), hex(&link.span_id)))
            .collect(),
        attributes: texts(span.attributes),
        error: failed.map(|status| status.message),
        started_at: span.start_time_unix_nano,
        ended_at: span.end_time_unix_nano,
        name: span.name,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let each = |pair: KeyValue| (pair.key, pair.value.map(text).unwrap_or_default());
    attributes.into_iter().map(each).collect()
}

fn text(value: AnyValue) -> String {
    match value.value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(is_so)) => is_so.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}
