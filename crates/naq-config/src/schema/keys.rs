//! The table. A new key is one line here and one field in `settings`.

use super::input::{put, put_limit, touch};
use super::{Input, KeySpec, Rejected};
use crate::Settings;
use crate::settings::{CommandHandler, PoolSettings, QueueOverrides};

const fn key(
    path: &'static str,
    store: fn(&mut Settings, &[&str], &Input) -> Result<(), Rejected>,
) -> KeySpec {
    KeySpec::new(path, store)
}

pub(crate) static KEYS: &[KeySpec] = &[
    key("nats.servers", |s, _, i| put(&mut s.nats.servers, i))
        .variables(&["NAQ_NATS_URL"])
        .commas(),
    key("nats.client_name", |s, _, i| {
        put(&mut s.nats.client_name, i)
    })
    .variables(&["NAQ_CLIENT_NAME", "NAQ_NATS_CLIENT_NAME"]),
    key("nats.max_reconnect_attempts", |s, _, i| {
        put_limit(&mut s.nats.max_reconnect_attempts, i)
    })
    .variables(&["NAQ_MAX_RECONNECT", "NAQ_MAX_RECONNECT_ATTEMPTS"]),
    key("nats.reconnect_time_wait", |s, _, i| {
        put(&mut s.nats.reconnect_time_wait, i)
    })
    .variables(&["NAQ_RECONNECT_TIME_WAIT"]),
    key("nats.connection_timeout", |s, _, i| {
        put(&mut s.nats.connection_timeout, i)
    })
    .variables(&["NAQ_CONNECTION_TIMEOUT"]),
    key("nats.drain_timeout", |s, _, i| {
        put(&mut s.nats.drain_timeout, i)
    })
    .variables(&["NAQ_DRAIN_TIMEOUT"]),
    key("nats.flush_timeout", |s, _, i| {
        put(&mut s.nats.flush_timeout, i)
    })
    .variables(&["NAQ_FLUSH_TIMEOUT"]),
    key("nats.request_timeout", |s, _, i| {
        put(&mut s.nats.request_timeout, i)
    })
    .variables(&["NAQ_REQUEST_TIMEOUT"]),
    key("nats.ping_interval", |s, _, i| {
        put(&mut s.nats.ping_interval, i)
    })
    .variables(&["NAQ_PING_INTERVAL"]),
    key("nats.max_outstanding_pings", |s, _, i| {
        put(&mut s.nats.max_outstanding_pings, i)
    })
    .variables(&["NAQ_MAX_OUTSTANDING_PINGS"]),
    key("nats.stall_timeout", |s, _, i| {
        put(&mut s.nats.stall_timeout, i)
    })
    .variables(&["NAQ_STALL_TIMEOUT"]),
    key("nats.max_lifetime", |s, _, i| {
        put(&mut s.nats.max_lifetime, i)
    })
    .variables(&["NAQ_MAX_LIFETIME"]),
    key("nats.auth.username", |s, _, i| {
        put(&mut s.nats.auth.username, i)
    })
    .variables(&["NAQ_NATS_AUTH_USERNAME"]),
    key("nats.auth.password", |s, _, i| {
        put(&mut s.nats.auth.password, i)
    })
    .variables(&["NAQ_NATS_AUTH_PASSWORD"])
    .secret(),
    key("nats.auth.token", |s, _, i| put(&mut s.nats.auth.token, i))
        .variables(&["NAQ_NATS_AUTH_TOKEN"])
        .secret(),
    key("nats.tls.enabled", |s, _, i| {
        put(&mut s.nats.tls.enabled, i)
    })
    .variables(&["NAQ_NATS_TLS_ENABLED"]),
    key("nats.tls.cert_file", |s, _, i| {
        put(&mut s.nats.tls.cert_file, i)
    })
    .variables(&["NAQ_NATS_TLS_CERT_FILE"]),
    key("nats.tls.key_file", |s, _, i| {
        put(&mut s.nats.tls.key_file, i)
    })
    .variables(&["NAQ_NATS_TLS_KEY_FILE"]),
    key("nats.tls.ca_file", |s, _, i| {
        put(&mut s.nats.tls.ca_file, i)
    })
    .variables(&["NAQ_NATS_TLS_CA_FILE"]),
    key("queues.default", |s, _, i| put(&mut s.queues.default, i))
        .variables(&["NAQ_DEFAULT_QUEUE"]),
    key("queues.prefix", |s, _, i| put(&mut s.queues.prefix, i))
        .variables(&["NAQ_QUEUE_PREFIX", "NAQ_PREFIX"]),
    key("queues.ack_wait", |s, _, i| put(&mut s.queues.ack_wait, i))
        .variables(&["NAQ_DEFAULT_ACK_WAIT", "NAQ_ACK_WAIT"]),
    key("queues.max_deliver", |s, _, i| {
        put(&mut s.queues.max_deliver, i)
    })
    .variables(&["NAQ_MAX_DELIVER"]),
    key("queues.max_ack_pending", |s, _, i| {
        put(&mut s.queues.max_ack_pending, i)
    }),
    key("queues.replicas", |s, _, i| put(&mut s.queues.replicas, i)).variables(&["NAQ_REPLICAS"]),
    key("queues.storage", |s, _, i| put(&mut s.queues.storage, i)),
    key("queues.max_age", |s, _, i| put(&mut s.queues.max_age, i)),
    key("queues.dead_letters.max_age", |s, _, i| {
        put(&mut s.queues.dead_letters.max_age, i)
    }),
    key("queues.configs.<queue>", |s, n, i| touch(queue(s, n), i)).entry(),
    key("queues.configs.<queue>.ack_wait", |s, n, i| {
        put(&mut queue(s, n).ack_wait, i)
    }),
    key("queues.configs.<queue>.max_deliver", |s, n, i| {
        put(&mut queue(s, n).max_deliver, i)
    }),
    key("queues.configs.<queue>.max_ack_pending", |s, n, i| {
        put(&mut queue(s, n).max_ack_pending, i)
    }),
    key("workers.concurrency", |s, _, i| {
        put(&mut s.workers.concurrency, i)
    })
    .variables(&["NAQ_WORKER_CONCURRENCY", "NAQ_CONCURRENCY"]),
    key("workers.heartbeat_interval", |s, _, i| {
        put(&mut s.workers.heartbeat_interval, i)
    })
    .variables(&["NAQ_WORKER_HEARTBEAT_INTERVAL"]),
    key("workers.ttl", |s, _, i| put(&mut s.workers.ttl, i)).variables(&["NAQ_WORKER_TTL"]),
    key("workers.max_job_duration", |s, _, i| {
        put(&mut s.workers.max_job_duration, i)
    })
    .variables(&["NAQ_MAX_JOB_DURATION"]),
    key("workers.shutdown_timeout", |s, _, i| {
        put(&mut s.workers.shutdown_timeout, i)
    })
    .variables(&["NAQ_WORKER_SHUTDOWN_TIMEOUT"]),
    key("workers.pools.<pool>", |s, n, i| touch(pool(s, n), i)).entry(),
    key("workers.pools.<pool>.concurrency", |s, n, i| {
        put(&mut pool(s, n).concurrency, i)
    }),
    key("workers.pools.<pool>.queues", |s, n, i| {
        put(&mut pool(s, n).queues, i)
    })
    .commas(),
    key("workers.handlers.<kind>", |s, n, i| touch(handler(s, n), i)).entry(),
    key("workers.handlers.<kind>.command", |s, n, i| {
        put(&mut handler(s, n).command, i)
    }),
    key("workers.handlers.<kind>.timeout", |s, n, i| {
        put(&mut handler(s, n).timeout, i)
    }),
    key(
        "workers.handlers.<kind>.environment.<variable>",
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
    key("workers.handlers.<kind>.working_directory", |s, n, i| {
        put(&mut handler(s, n).working_directory, i)
    }),
    key("workers.handlers.<kind>.max_output", |s, n, i| {
        put(&mut handler(s, n).max_output, i)
    }),
    key("results.ttl", |s, _, i| put(&mut s.results.ttl, i))
        .variables(&["NAQ_DEFAULT_RESULT_TTL", "NAQ_RESULT_TTL"]),
    key("results.replicas", |s, _, i| {
        put(&mut s.results.replicas, i)
    })
    .variables(&["NAQ_REPLICAS"]),
    key("results.storage", |s, _, i| put(&mut s.results.storage, i)),
    key("results.max_bytes", |s, _, i| {
        put(&mut s.results.max_bytes, i)
    }),
];

fn queue<'s>(settings: &'s mut Settings, names: &[&str]) -> &'s mut QueueOverrides {
    settings
        .queues
        .configs
        .entry(names[0].to_owned())
        .or_default()
}

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_path_is_there_twice_and_only_replicas_share_a_variable() {
        let paths: BTreeSet<_> = KEYS.iter().map(|spec| spec.path).collect();
        assert_eq!(paths.len(), KEYS.len());
        let all: Vec<_> = KEYS.iter().flat_map(|spec| spec.variables).collect();
        let once: BTreeSet<_> = all.iter().collect();
        assert_eq!(all.len(), once.len() + 1);
    }
}
