//! Spans as text.

use std::fmt::Write;

use super::CollectedSpan;

/// Spans as an indented tree, each below the one above it, by their start. A line has the name, the kind of the job, the
/// attempt and how it ended, and after `<-` the kinds of the jobs that it is linked to.
///
/// ```text
/// enqueue mail (send)
///   process mail (send) attempt 1 retried: no route to host
///   process mail (send) attempt 2 completed
///     enqueue audit (note)
///       process audit (note) attempt 1 completed
/// ```
pub fn tree(spans: &[CollectedSpan]) -> String {
    let mut text = String::new();
    let is_root = |span: &&CollectedSpan| !spans.iter().any(|other| span.is_below(other));
    for root in by_start(spans.iter().filter(is_root)) {
        write_below(&mut text, spans, root, 0);
    }
    text
}

fn by_start<'a>(spans: impl Iterator<Item = &'a CollectedSpan>) -> Vec<&'a CollectedSpan> {
    let mut all: Vec<_> = spans.collect();
    all.sort_by_key(|span| span.started_at);
    all
}

fn write_below(text: &mut String, spans: &[CollectedSpan], span: &CollectedSpan, depth: usize) {
    let mut line = format!("{:indent$}{}", "", span.name, indent = depth * 2);
    let mut add = |before: &str, what: &str, after: &str| {
        if !what.is_empty() {
            // Writing to a text cannot fail.
            let _ = write!(line, " {before}{what}{after}");
        }
    };
    add("(", span.attribute("naq.job.kind"), ")");
    add("attempt ", span.attribute("naq.job.attempt"), "");
    add("", span.attribute("naq.job.outcome"), "");
    let mut linked: Vec<&str> = spans
        .iter()
        .filter(|other| span.is_linked_to(other))
        .map(|other| other.attribute("naq.job.kind"))
        .collect();
    linked.sort_unstable();
    add("<- ", &linked.join(", "), "");
    if let Some(error) = &span.error {
        let _ = write!(line, ": {error}");
    }
    let _ = writeln!(text, "{line}");
    for child in by_start(spans.iter().filter(|other| other.is_below(span))) {
        write_below(text, spans, child, depth + 1);
    }
}
