//! Keys of section `events`.

use super::key;
use crate::schema::input::put;
use crate::schema::{Form, KeySpec};

pub(super) static EVENTS: &[KeySpec] = &[
    key(
        "events.enabled",
        Form::Flag,
        "Whether events of jobs and workers are recorded.",
        |s, _, i| put(&mut s.events.enabled, i),
    )
    .variables(&["NAQ_EVENTS_ENABLED"]),
    key(
        "events.batch_size",
        Form::Number,
        "Events that go into one message at the most.",
        |s, _, i| put(&mut s.events.batch_size, i),
    )
    .variables(&["NAQ_EVENT_LOGGER_BATCH_SIZE", "NAQ_EVENTS_BATCH_SIZE"]),
    key(
        "events.flush_interval",
        Form::Time,
        "Longest time that an event waits in its process before it is sent.",
        |s, _, i| put(&mut s.events.flush_interval, i),
    )
    .variables(&["NAQ_EVENT_LOGGER_FLUSH_INTERVAL", "NAQ_EVENTS_FLUSH_INTERVAL"]),
    key(
        "events.max_buffer_size",
        Form::Number,
        "Events that may wait in a process while the server does not take them; then the oldest are \
         dropped and counted.",
        |s, _, i| put(&mut s.events.max_buffer_size, i),
    )
    .variables(&["NAQ_EVENT_LOGGER_MAX_BUFFER_SIZE", "NAQ_EVENTS_MAX_BUFFER_SIZE"]),
    key(
        "events.subject_prefix",
        Form::Text,
        "First part of the subjects of events; `<queues.prefix>.event` if empty.",
        |s, _, i| put(&mut s.events.subject_prefix, i),
    )
    .variables(&["NAQ_EVENT_SUBJECT_PREFIX"])
    .optional(),
    key(
        "events.stream.name",
        Form::Text,
        "Name of the stream of events; `<queues.prefix>_events` if empty.",
        |s, _, i| put(&mut s.events.stream.name, i),
    )
    .variables(&["NAQ_EVENT_STREAM_NAME"])
    .optional(),
    key(
        "events.stream.max_age",
        Form::Time,
        "Age after which an event is dropped.",
        |s, _, i| put(&mut s.events.stream.max_age, i),
    ),
    key(
        "events.stream.max_bytes",
        Form::Size,
        "Size of the stream after which the oldest events go.",
        |s, _, i| put(&mut s.events.stream.max_bytes, i),
    ),
    key(
        "events.stream.replicas",
        Form::Number,
        "Copies of the stream of events.",
        |s, _, i| put(&mut s.events.stream.replicas, i),
    ),
    key(
        "events.stream.storage",
        Form::Storage,
        "Where the stream of events is kept: file or memory.",
        |s, _, i| put(&mut s.events.stream.storage, i),
    ),
    key(
        "events.filters.exclude_heartbeats",
        Form::Flag,
        "Whether the signs of life of workers are left out.",
        |s, _, i| put(&mut s.events.filters.exclude_heartbeats, i),
    ),
    key(
        "events.filters.min_job_duration",
        Form::Time,
        "Attempts that complete in less time leave no events of their start and end.",
        |s, _, i| put(&mut s.events.filters.min_job_duration, i),
    ),
];
