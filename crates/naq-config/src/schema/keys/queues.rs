//! Keys of section `queues`.

use super::key;
use crate::Settings;
use crate::schema::input::{put, touch};
use crate::schema::{Form, KeySpec};
use crate::settings::QueueOverrides;

pub(super) static QUEUES: &[KeySpec] = &[
    key(
        "queues.default",
        Form::Text,
        "Queue of a job that names none.",
        |s, _, i| put(&mut s.queues.default, i),
    )
    .variables(&["NAQ_DEFAULT_QUEUE"]),
    key(
        "queues.prefix",
        Form::Text,
        "First part of every stream and subject name: tells several systems on one server \
         apart.",
        |s, _, i| put(&mut s.queues.prefix, i),
    )
    .variables(&["NAQ_QUEUE_PREFIX", "NAQ_PREFIX"]),
    key(
        "queues.ack_wait",
        Form::Time,
        "Time that a worker may hold a job without renewing its lease.",
        |s, _, i| put(&mut s.queues.ack_wait, i),
    )
    .variables(&["NAQ_DEFAULT_ACK_WAIT", "NAQ_ACK_WAIT"]),
    key(
        "queues.max_deliver",
        Form::Number,
        "Deliveries of one message after which a job that is never settled goes to the dead \
         letters.",
        |s, _, i| put(&mut s.queues.max_deliver, i),
    )
    .variables(&["NAQ_MAX_DELIVER"]),
    key(
        "queues.max_ack_pending",
        Form::Number,
        "Jobs of one queue that may be leased at the same time, over all workers.",
        |s, _, i| put(&mut s.queues.max_ack_pending, i),
    ),
    key(
        "queues.replicas",
        Form::Number,
        "Copies of the job and dead letter streams.",
        |s, _, i| put(&mut s.queues.replicas, i),
    )
    .variables(&["NAQ_REPLICAS"]),
    key(
        "queues.storage",
        Form::Storage,
        "Where the job and dead letter streams are kept: file or memory.",
        |s, _, i| put(&mut s.queues.storage, i),
    ),
    key(
        "queues.max_age",
        Form::Time,
        "Age after which a waiting job is dropped, unseen; for ever if empty.",
        |s, _, i| put(&mut s.queues.max_age, i),
    )
    .optional(),
    key(
        "queues.unknown_kind_after",
        Form::Time,
        "Time after which a job whose kind no worker knows goes to the dead letters.",
        |s, _, i| put(&mut s.queues.unknown_kind_after, i),
    ),
    key(
        "queues.dead_letters.max_age",
        Form::Time,
        "Age after which a dead letter is dropped; for ever if empty.",
        |s, _, i| put(&mut s.queues.dead_letters.max_age, i),
    )
    .optional(),
    key(
        "queues.configs.<queue>",
        Form::Entry,
        "What differs for one queue.",
        |s, n, i| touch(queue(s, n), i),
    ),
    key(
        "queues.configs.<queue>.ack_wait",
        Form::Time,
        "As queues.ack_wait, for this queue.",
        |s, n, i| put(&mut queue(s, n).ack_wait, i),
    )
    .optional(),
    key(
        "queues.configs.<queue>.max_deliver",
        Form::Number,
        "As queues.max_deliver, for this queue.",
        |s, n, i| put(&mut queue(s, n).max_deliver, i),
    )
    .optional(),
    key(
        "queues.configs.<queue>.max_ack_pending",
        Form::Number,
        "As queues.max_ack_pending, for this queue.",
        |s, n, i| put(&mut queue(s, n).max_ack_pending, i),
    )
    .optional(),
    key(
        "queues.configs.<queue>.concurrency",
        Form::Number,
        "Jobs of this queue that one worker runs at the same time; as many as it has slots if empty.",
        |s, n, i| put(&mut queue(s, n).concurrency, i),
    )
    .optional(),
    key(
        "queues.configs.<queue>.max_running_per_key",
        Form::Number,
        "Jobs of this queue with the same limit key that run at the same time, over all workers; no \
         limit if empty.",
        |s, n, i| put(&mut queue(s, n).max_running_per_key, i),
    )
    .optional(),
    key(
        "queues.configs.<queue>.rate",
        Form::Text,
        "Starts of jobs of this queue, over all workers: such as 100/s, 30/1m or 5/s burst 1; no limit \
         if empty.",
        |s, n, i| put(&mut queue(s, n).rate, i),
    )
    .optional(),
    key(
        "queues.configs.<queue>.rate_per_key",
        Form::Text,
        "Starts of jobs of this queue with the same limit key, over all workers; no limit if empty.",
        |s, n, i| put(&mut queue(s, n).rate_per_key, i),
    )
    .optional(),
];

fn queue<'s>(settings: &'s mut Settings, names: &[&str]) -> &'s mut QueueOverrides {
    settings
        .queues
        .configs
        .entry(names[0].to_owned())
        .or_default()
}
