//! Rules of section `events` that are not ranges.

use super::Findings;
use crate::names::check_prefix;
use crate::settings::EventsSettings;

pub(super) fn check(events: &EventsSettings, findings: &mut Findings<'_>) {
    if events.batch_size > events.max_buffer_size {
        findings.keys(
            &["events.batch_size", "events.max_buffer_size"],
            "`events.batch_size` must not be more than `events.max_buffer_size`: a batch would never be full",
        );
    }
    if let Some(name) = &events.stream.name
        && let Err(error) = check_prefix(name)
    {
        findings.key("events.stream.name", error.to_string());
    }
    let parts = events
        .subject_prefix
        .iter()
        .flat_map(|text| text.split('.'));
    if let Some(error) = parts.map(check_prefix).find_map(Result::err) {
        findings.key("events.subject_prefix", error.to_string());
    }
}
