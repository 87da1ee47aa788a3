//! Rules of sections `queues` and `results` that are not ranges.

use std::time::Duration;

use super::Findings;
use crate::Settings;
use crate::names::{check_prefix, check_queue_name};

pub(super) fn check(settings: &Settings, findings: &mut Findings<'_>) {
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
