//! The smallest and largest value of each number and time.

use std::time::Duration;

use super::Findings;
use crate::Settings;

const DAY: Duration = Duration::from_secs(24 * 3600);
const SECOND: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(1);
/// Far more than anybody means, and still a time that can be added to a clock.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

type Number = (&'static str, fn(&Settings) -> u64, u64, u64);
type Time = (&'static str, fn(&Settings) -> Duration, Duration, Duration);

const ANY: u64 = u32::MAX as u64;

const NUMBERS: &[Number] = &[
    (
        "nats.max_outstanding_pings",
        |s| s.nats.max_outstanding_pings.into(),
        1,
        ANY,
    ),
    (
        "nats.max_pending_bytes",
        |s| s.nats.max_pending_bytes,
        KIB,
        1 << 40,
    ),
    (
        "nats.max_pending_messages",
        |s| s.nats.max_pending_messages.into(),
        1,
        // The client allocates its queue for as many.
        1 << 20,
    ),
    (
        "queues.max_deliver",
        |s| s.queues.max_deliver.into(),
        1,
        ANY,
    ),
    (
        "queues.max_ack_pending",
        |s| s.queues.max_ack_pending.into(),
        1,
        ANY,
    ),
    ("queues.replicas", |s| s.queues.replicas.into(), 1, 5),
    (
        "workers.concurrency",
        |s| s.workers.concurrency.into(),
        1,
        1000,
    ),
    ("results.replicas", |s| s.results.replicas.into(), 1, 5),
    (
        "events.batch_size",
        |s| s.events.batch_size.into(),
        1,
        10_000,
    ),
    (
        "events.max_buffer_size",
        |s| s.events.max_buffer_size.into(),
        1,
        10_000_000,
    ),
    (
        "events.stream.max_bytes",
        |s| s.events.stream.max_bytes,
        MIB,
        1 << 50,
    ),
    (
        "events.stream.replicas",
        |s| s.events.stream.replicas.into(),
        1,
        5,
    ),
    (
        "results.notes_max_bytes",
        |s| s.results.notes_max_bytes,
        KIB * KIB,
        1 << 50,
    ),
];

const TIMES: &[Time] = &[
    (
        "nats.reconnect_time_wait",
        |s| s.nats.reconnect_time_wait,
        Duration::ZERO,
        CENTURY,
    ),
    (
        "nats.connection_timeout",
        |s| s.nats.connection_timeout,
        MOMENT,
        CENTURY,
    ),
    (
        "nats.drain_timeout",
        |s| s.nats.drain_timeout,
        Duration::ZERO,
        CENTURY,
    ),
    (
        "nats.flush_timeout",
        |s| s.nats.flush_timeout,
        MOMENT,
        CENTURY,
    ),
    (
        "nats.request_timeout",
        |s| s.nats.request_timeout,
        MOMENT,
        CENTURY,
    ),
    (
        "nats.ping_interval",
        |s| s.nats.ping_interval,
        MOMENT,
        CENTURY,
    ),
    (
        "nats.stall_timeout",
        |s| s.nats.stall_timeout,
        Duration::ZERO,
        CENTURY,
    ),
    (
        "nats.max_lifetime",
        |s| s.nats.max_lifetime.unwrap_or(SECOND),
        SECOND,
        CENTURY,
    ),
    ("queues.ack_wait", |s| s.queues.ack_wait, SECOND, CENTURY),
    (
        "queues.max_age",
        |s| s.queues.max_age.unwrap_or(SECOND),
        Duration::ZERO,
        CENTURY,
    ),
    (
        "queues.unknown_kind_after",
        |s| s.queues.unknown_kind_after,
        Duration::ZERO,
        CENTURY,
    ),
    (
        "queues.dead_letters.max_age",
        |s| s.queues.dead_letters.max_age.unwrap_or(SECOND),
        Duration::ZERO,
        CENTURY,
    ),
    (
        "workers.heartbeat_interval",
        |s| s.workers.heartbeat_interval,
        MOMENT,
        CENTURY,
    ),
    ("workers.ttl", |s| s.workers.ttl, MOMENT, CENTURY),
    (
        "workers.max_job_duration",
        |s| s.workers.max_job_duration,
        MOMENT,
        DAY,
    ),
    (
        "workers.shutdown_timeout",
        |s| s.workers.shutdown_timeout,
        Duration::ZERO,
        CENTURY,
    ),
    ("results.ttl", |s| s.results.ttl, SECOND, CENTURY),
    (
        "events.flush_interval",
        |s| s.events.flush_interval,
        Duration::from_millis(100),
        Duration::from_secs(3600),
    ),
    (
        "events.stream.max_age",
        |s| s.events.stream.max_age,
        SECOND,
        CENTURY,
    ),
    (
        "events.filters.min_job_duration",
        |s| s.events.filters.min_job_duration,
        Duration::ZERO,
        DAY,
    ),
    (
        "results.notes_ttl",
        |s| s.results.notes_ttl,
        SECOND,
        CENTURY,
    ),
];

/// The smallest and the largest value of a number, unless its path has a name of the user's in it.
pub(crate) fn number_range(path: &str) -> Option<(u64, u64)> {
    let row = NUMBERS.iter().find(|(key, ..)| *key == path)?;
    Some((row.2, row.3))
}

pub(super) fn check(settings: &Settings, findings: &mut Findings<'_>) {
    for (key, value, min, max) in NUMBERS {
        number(key, value(settings), *min, *max, findings);
    }
    for (key, value, min, max) in TIMES {
        time(key, value(settings), *min, *max, findings);
    }
    for (queue, config) in &settings.queues.configs {
        let key = |name: &str| format!("queues.configs.{queue}.{name}");
        if let Some(ack_wait) = config.ack_wait {
            time(&key("ack_wait"), ack_wait, SECOND, CENTURY, findings);
        }
        for (name, value) in [
            ("max_deliver", config.max_deliver),
            ("max_ack_pending", config.max_ack_pending),
            ("concurrency", config.concurrency),
            ("max_running_per_key", config.max_running_per_key),
        ] {
            if let Some(value) = value {
                number(&key(name), value.into(), 1, ANY, findings);
            }
        }
    }
    for (name, pool) in &settings.workers.pools {
        let key = format!("workers.pools.{name}.concurrency");
        number(&key, pool.concurrency.into(), 1, 1000, findings);
    }
    for (kind, handler) in &settings.workers.handlers {
        let key = |name: &str| format!("workers.handlers.{kind}.{name}");
        if let Some(timeout) = handler.timeout {
            time(&key("timeout"), timeout, MOMENT, DAY, findings);
        }
        let longest = Duration::from_secs(60);
        time(
            &key("stop_grace"),
            handler.stop_grace,
            Duration::ZERO,
            longest,
            findings,
        );
        number(
            &key("max_output"),
            handler.max_output,
            1,
            u64::MAX,
            findings,
        );
    }
}

fn number(key: &str, value: u64, min: u64, max: u64, findings: &mut Findings<'_>) {
    if value < min && max >= ANY {
        findings.key(key, format!("must be at least {min}, not {value}"));
    } else if value < min || value > max {
        findings.key(key, format!("must be from {min} to {max}, not {value}"));
    }
}

fn time(key: &str, value: Duration, min: Duration, max: Duration, findings: &mut Findings<'_>) {
    let show = |time| humantime::format_duration(time);
    if value < min {
        findings.key(
            key,
            format!("must be at least {}, not {}", show(min), show(value)),
        );
    } else if value > max {
        findings.key(
            key,
            format!("must be at most {}, not {}", show(max), show(value)),
        );
    }
}
