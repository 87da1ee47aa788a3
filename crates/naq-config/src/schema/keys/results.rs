//! Keys of section `results`.

use super::key;
use crate::schema::input::put;
use crate::schema::{Form, KeySpec};

pub(super) static RESULTS: &[KeySpec] = &[
    key(
        "results.ttl",
        Form::Time,
        "Time that an outcome is kept if its job sets none.",
        |s, _, i| put(&mut s.results.ttl, i),
    )
    .variables(&["NAQ_DEFAULT_RESULT_TTL", "NAQ_RESULT_TTL"]),
    key(
        "results.replicas",
        Form::Number,
        "Copies of the result stream.",
        |s, _, i| put(&mut s.results.replicas, i),
    )
    .variables(&["NAQ_REPLICAS"]),
    key(
        "results.storage",
        Form::Storage,
        "Where the result stream is kept: file or memory.",
        |s, _, i| put(&mut s.results.storage, i),
    ),
    key(
        "results.max_bytes",
        Form::Size,
        "Size of the result stream after which the oldest outcomes go; no limit if empty.",
        |s, _, i| put(&mut s.results.max_bytes, i),
    )
    .optional(),
    key(
        "results.notes_ttl",
        Form::Time,
        "Time that progress, partial results and log of a job are kept.",
        |s, _, i| put(&mut s.results.notes_ttl, i),
    ),
    key(
        "results.notes_max_bytes",
        Form::Size,
        "Size of the stream of progress, partial results and logs after which the oldest go.",
        |s, _, i| put(&mut s.results.notes_max_bytes, i),
    ),
];
