//! Rules of sections `queues`, `results` and `events` that are not ranges.

use std::time::Duration;

use super::Findings;
use crate::Settings;
use crate::names::{check_prefix, check_queue_name};
use crate::settings::EventsSettings;

pub(super) fn check(settings: &Settings, findings: &mut Findings<'_>) {
    check_events(&settings.events, findings);
    let queues = &settings.queues;
    if let Err(error) = check_queue_name(&queues.default) {
        findings.key("queues.default", error.to_string());
    }
    if let Err(error) = check_prefix(&queues.prefix) {
        findings.key("queues.prefix", error.to_string());
    }
    let limits = [
        ("queues.max_age", queues.max_age == Some(Duration::ZERO)),
        (
            "queues.dead_letters.max_age",
            queues.dead_letters.max_age == Some(Duration::ZERO),
        ),
        ("results.max_bytes", settings.results.max_bytes == Some(0)),
    ];
    for (key, is_zero) in limits {
        // The server would take zero for "no limit", the opposite of what it says.
        if is_zero {
            findings.key(key, "must be more than 0; leave the key out for no limit");
        }
    }
}

fn check_events(events: &EventsSettings, findings: &mut Findings<'_>) {
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
