//! Keys of section `workers`.

use super::key;
use crate::Settings;
use crate::schema::input::{put, touch};
use crate::schema::{Form, KeySpec};
use crate::settings::{CommandHandler, PoolSettings};

pub(super) static WORKERS: &[KeySpec] = &[
    key(
        "workers.concurrency",
        Form::Number,
        "Jobs that one worker runs at the same time.",
        |s, _, i| put(&mut s.workers.concurrency, i),
    )
    .variables(&["NAQ_WORKER_CONCURRENCY", "NAQ_CONCURRENCY"]),
    key(
        "workers.heartbeat_interval",
        Form::Time,
        "Time between two signs of life of a worker.",
        |s, _, i| put(&mut s.workers.heartbeat_interval, i),
    )
    .variables(&["NAQ_WORKER_HEARTBEAT_INTERVAL"]),
    key(
        "workers.ttl",
        Form::Time,
        "Time after which a silent worker is forgotten.",
        |s, _, i| put(&mut s.workers.ttl, i),
    )
    .variables(&["NAQ_WORKER_TTL"]),
    key(
        "workers.max_job_duration",
        Form::Time,
        "Time limit of one attempt of a job that sets none.",
        |s, _, i| put(&mut s.workers.max_job_duration, i),
    )
    .variables(&["NAQ_MAX_JOB_DURATION"]),
    key(
        "workers.shutdown_timeout",
        Form::Time,
        "Time that a stopping worker gives its running jobs.",
        |s, _, i| put(&mut s.workers.shutdown_timeout, i),
    )
    .variables(&["NAQ_WORKER_SHUTDOWN_TIMEOUT"]),
    key(
        "workers.pools.<pool>",
        Form::Entry,
        "A set of queues with its own concurrency.",
        |s, n, i| touch(pool(s, n), i),
    ),
    key(
        "workers.pools.<pool>.concurrency",
        Form::Number,
        "Jobs that the pool runs at the same time; that of the worker if there is none.",
        |s, n, i| put(&mut pool(s, n).concurrency, i),
    ),
    key(
        "workers.pools.<pool>.queues",
        Form::List,
        "Queues that the pool serves; at least one.",
        |s, n, i| put(&mut pool(s, n).queues, i),
    )
    .commas(),
    key(
        "workers.handlers.<kind>",
        Form::Entry,
        "A program that handles one job kind; no shell is involved.",
        |s, n, i| touch(handler(s, n), i),
    ),
    key(
        "workers.handlers.<kind>.command",
        Form::List,
        "The program and its arguments.",
        |s, n, i| put(&mut handler(s, n).command, i),
    ),
    key(
        "workers.handlers.<kind>.timeout",
        Form::Time,
        "Time limit of one attempt; that of the job or the worker if empty.",
        |s, n, i| put(&mut handler(s, n).timeout, i),
    )
    .optional(),
    key(
        "workers.handlers.<kind>.environment.<variable>",
        Form::Text,
        "An environment variable of the program.",
        |s, n, i| {
            put(
                handler(s, n)
                    .environment
                    .entry(n[1].to_owned())
                    .or_default(),
                i,
            )
        },
    )
    .secret(),
    key(
        "workers.handlers.<kind>.working_directory",
        Form::Path,
        "Directory that the program starts in; that of the worker if empty.",
        |s, n, i| put(&mut handler(s, n).working_directory, i),
    )
    .optional(),
    key(
        "workers.handlers.<kind>.max_output",
        Form::Size,
        "Bytes of standard output that are taken as the result; more is an error.",
        |s, n, i| put(&mut handler(s, n).max_output, i),
    ),
    key(
        "workers.handlers.<kind>.stop_grace",
        Form::Time,
        "Time between SIGTERM and SIGKILL when the attempt ends early: time limit, cancelled, worker stops.",
        |s, n, i| put(&mut handler(s, n).stop_grace, i),
    ),
];

fn pool<'s>(settings: &'s mut Settings, names: &[&str]) -> &'s mut PoolSettings {
    let concurrency = settings.workers.concurrency;
    let new = || PoolSettings {
        concurrency,
        queues: Vec::new(),
    };
    settings
        .workers
        .pools
        .entry(names[0].to_owned())
        .or_insert_with(new)
}

fn handler<'s>(settings: &'s mut Settings, names: &[&str]) -> &'s mut CommandHandler {
    let new = || CommandHandler::new(Vec::new());
    settings
        .workers
        .handlers
        .entry(names[0].to_owned())
        .or_insert_with(new)
}
