//! What the configuration asks of the streams.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use naq_config::Settings;
use naq_config::settings::Storage;

use crate::wire::Names;

/// Time in which a second publish with the same message id is recognised.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// Notes of one kind that are kept of a job.
const NOTES_PER_SUBJECT: i64 = 1000;

/// Time in which notes that are sent again are recognised.
const NOTES_WINDOW: Duration = Duration::from_secs(30);

/// Consumers that a stream may have: one for each queue, reader, watcher, workflow that waits for a job outside. Measured: without
/// it the server refuses the 1001st (10026).
const MAX_CONSUMERS: i32 = 100_000;

/// All streams, in the order in which they are made.
pub(crate) fn streams(names: &Names, settings: &Settings) -> Vec<Config> {
    vec![
        jobs(names, settings),
        results(names, settings),
        dead(names, settings),
        workers(names, settings),
        notes(names, settings),
        run_time_settings(names, settings),
        limits(names, settings),
    ]
}

fn jobs(names: &Names, settings: &Settings) -> Config {
    let queues = &settings.queues;
    Config {
        name: names.jobs_stream(),
        description: Some("NAQ: jobs that wait, run, or will come".to_owned()),
        subjects: names.jobs_subjects(),
        retention: RetentionPolicy::WorkQueue,
        storage: storage(queues.storage),
        num_replicas: usize::from(queues.replicas),
        max_age: queues.max_age.unwrap_or_default(),
        // A stream with schedules cannot refuse new messages when it is full (10052), it would drop the oldest jobs.
        max_bytes: -1,
        max_messages: -1,
        max_message_size: -1,
        max_messages_per_subject: -1,
        max_consumers: MAX_CONSUMERS,
        discard: DiscardPolicy::Old,
        duplicate_window: DUPLICATE_WINDOW,
        allow_direct: true,
        allow_rollup: true,
        allow_message_ttl: true,
        allow_message_schedules: true,
        allow_atomic_publish: true,
        ..Config::default()
    }
}

fn results(names: &Names, settings: &Settings) -> Config {
    let results = &settings.results;
    Config {
        subjects: names.results_subjects(),
        max_bytes: limit(results.max_bytes),
        ..last_value(
            names.results_stream(),
            "NAQ: outcome of each job",
            names.result_filter(),
            results.storage,
            results.replicas,
        )
    }
}

/// Notes are for those who watch: bounded in every way, oldest gone first.
fn notes(names: &Names, settings: &Settings) -> Config {
    let results = &settings.results;
    Config {
        max_bytes: limit(Some(results.notes_max_bytes)),
        max_messages_per_subject: NOTES_PER_SUBJECT,
        duplicate_window: NOTES_WINDOW,
        ..last_value(
            names.notes_stream(),
            "NAQ: progress, partial results and log of each job",
            names.all_notes(),
            results.storage,
            results.replicas,
        )
    }
}

fn dead(names: &Names, settings: &Settings) -> Config {
    let queues = &settings.queues;
    Config {
        max_age: queues.dead_letters.max_age.unwrap_or_default(),
        ..last_value(
            names.dead_stream(),
            "NAQ: dead letters",
            names.dead_filter(None),
            queues.storage,
            queues.replicas,
        )
    }
}

fn workers(names: &Names, settings: &Settings) -> Config {
    last_value(
        names.workers_stream(),
        "NAQ: live workers",
        names.worker_filter(),
        Storage::Memory,
        settings.queues.replicas,
    )
}

/// The bucket of large payloads and results (ADR-20), made when the first of them comes.
pub(crate) fn payloads(names: &Names, settings: &Settings) -> Config {
    let queues = &settings.queues;
    Config {
        name: names.payloads_stream(),
        description: Some("NAQ: large payloads and results".to_owned()),
        subjects: names.payloads_subjects(),
        max_messages_per_subject: -1,
        ..last_value(
            names.payloads_stream(),
            "",
            String::new(),
            queues.storage,
            queues.replicas,
        )
    }
}

/// Events and their counters. They are made by whoever finds them missing, not with the others: nothing depends on them.
pub(crate) fn event_streams(names: &Names, settings: &Settings) -> [Config; 2] {
    let (events, kept) = (&settings.events, &settings.events.stream);
    let stream = |name, description: &str, subject| Config {
        subjects: vec![subject],
        max_age: kept.max_age,
        ..last_value(
            name,
            description,
            String::new(),
            kept.storage,
            kept.replicas,
        )
    };
    let log = Config {
        max_bytes: limit(Some(kept.max_bytes)),
        max_messages_per_subject: -1,
        allow_message_ttl: false,
        allow_rollup: false,
        ..stream(
            names.events_stream(events),
            "NAQ: what has happened",
            names.event(events, ["*"; 5]),
        )
    };
    let counters = Config {
        allow_message_counter: true,
        allow_message_ttl: false,
        allow_rollup: false,
        ..stream(
            names.counters_stream(),
            "NAQ: how much has happened",
            names.counter(["*"; 5]),
        )
    };
    [log, counters]
}

fn run_time_settings(names: &Names, settings: &Settings) -> Config {
    last_value(
        names.settings_stream(),
        "NAQ: what was set at run time",
        names.settings_filter(),
        settings.queues.storage,
        settings.queues.replicas,
    )
}

/// Kept as the jobs are: in memory, a restart of the server would free all places under running jobs.
fn limits(names: &Names, settings: &Settings) -> Config {
    Config {
        subjects: names.limits_subjects(),
        ..last_value(
            names.limits_stream(),
            "NAQ: limited places and rates",
            names.settings_filter(),
            settings.queues.storage,
            settings.queues.replicas,
        )
    }
}

/// A stream that keeps the last message of each subject.
fn last_value(
    name: String,
    description: &str,
    subjects: String,
    kept: Storage,
    replicas: u8,
) -> Config {
    Config {
        name,
        description: Some(description.to_owned()),
        subjects: vec![subjects],
        retention: RetentionPolicy::Limits,
        storage: storage(kept),
        num_replicas: usize::from(replicas),
        max_bytes: -1,
        max_messages: -1,
        max_message_size: -1,
        max_messages_per_subject: 1,
        max_consumers: MAX_CONSUMERS,
        discard: DiscardPolicy::Old,
        duplicate_window: DUPLICATE_WINDOW,
        allow_direct: true,
        allow_rollup: true,
        allow_message_ttl: true,
        ..Config::default()
    }
}

fn storage(storage: Storage) -> StorageType {
    match storage {
        Storage::File => StorageType::File,
        Storage::Memory => StorageType::Memory,
    }
}

fn limit(bytes: Option<u64>) -> i64 {
    bytes.map_or(-1, |b| i64::try_from(b).unwrap_or(i64::MAX))
}
