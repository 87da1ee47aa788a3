//! The settings as a flat list, to be printed.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use crate::settings::{
    EventsSettings, NatsSettings, PayloadsSettings, QueuesSettings, ResultsSettings, Storage,
    WorkersSettings,
};
use crate::{Loaded, Origin, redact_url};

/// One key with its value and origin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shown<'a> {
    /// The key, such as `nats.servers`.
    pub key: String,
    /// The value; `***` stands for a secret, and an empty text for a setting that is off.
    pub value: String,
    /// Where the value came from.
    pub origin: &'a Origin,
}

impl Loaded {
    /// Every key with its value and origin, in the order of the sections; secrets are hidden.
    pub fn show(&self) -> Vec<Shown<'_>> {
        let mut rows = Rows(Vec::new());
        rows.nats(&self.settings.nats);
        rows.queues(&self.settings.queues);
        rows.workers(&self.settings.workers);
        rows.results(&self.settings.results);
        rows.payloads(&self.settings.payloads);
        rows.events(&self.settings.events);
        let shown = |(key, value): (String, String)| {
            let origin = self.origins.of(&key);
            Shown { key, value, origin }
        };
        rows.0.into_iter().map(shown).collect()
    }
}

struct Rows(Vec<(String, String)>);

impl Rows {
    fn row(&mut self, key: impl Into<String>, value: impl Display) {
        self.0.push((key.into(), value.to_string()));
    }

    fn nats(&mut self, nats: &NatsSettings) {
        let servers: Vec<_> = nats.servers.iter().map(|url| redact_url(url)).collect();
        self.row("nats.servers", servers.join(","));
        self.row("nats.client_name", &nats.client_name);
        let attempts = nats.max_reconnect_attempts;
        let attempts = attempts.map_or("unlimited".to_owned(), |limit| limit.to_string());
        self.row("nats.max_reconnect_attempts", attempts);
        self.row("nats.reconnect_time_wait", time(nats.reconnect_time_wait));
        self.row("nats.connection_timeout", time(nats.connection_timeout));
        self.row("nats.drain_timeout", time(nats.drain_timeout));
        self.row("nats.flush_timeout", time(nats.flush_timeout));
        self.row("nats.request_timeout", time(nats.request_timeout));
        self.row("nats.ping_interval", time(nats.ping_interval));
        self.row("nats.max_outstanding_pings", nats.max_outstanding_pings);
        self.row("nats.stall_timeout", time(nats.stall_timeout));
        self.row("nats.max_lifetime", off(nats.max_lifetime.map(time)));
        self.row("nats.max_pending_bytes", nats.max_pending_bytes);
        self.row("nats.max_pending_messages", nats.max_pending_messages);
        let hidden = |is_set: bool| if is_set { "***" } else { "" };
        self.row(
            "nats.auth.username",
            nats.auth.username.as_deref().unwrap_or_default(),
        );
        self.row("nats.auth.password", hidden(nats.auth.password.is_some()));
        self.row("nats.auth.token", hidden(nats.auth.token.is_some()));
        self.row("nats.auth.nkey_seed", hidden(nats.auth.nkey_seed.is_some()));
        let file = nats.auth.nkey_seed_file.as_deref();
        self.row("nats.auth.nkey_seed_file", path(file));
        let file = nats.auth.credentials_file.as_deref();
        self.row("nats.auth.credentials_file", path(file));
        self.row("nats.tls.enabled", nats.tls.enabled);
        self.row("nats.tls.cert_file", path(nats.tls.cert_file.as_deref()));
        self.row("nats.tls.key_file", path(nats.tls.key_file.as_deref()));
        self.row("nats.tls.ca_file", path(nats.tls.ca_file.as_deref()));
    }

    fn queues(&mut self, queues: &QueuesSettings) {
        self.row("queues.default", &queues.default);
        self.row("queues.prefix", &queues.prefix);
        self.row("queues.ack_wait", time(queues.ack_wait));
        self.row("queues.max_deliver", queues.max_deliver);
        self.row("queues.max_ack_pending", queues.max_ack_pending);
        self.row("queues.replicas", queues.replicas);
        self.row("queues.storage", storage(queues.storage));
        self.row("queues.max_age", off(queues.max_age.map(time)));
        self.row("queues.unknown_kind_after", time(queues.unknown_kind_after));
        self.row(
            "queues.dead_letters.max_age",
            off(queues.dead_letters.max_age.map(time)),
        );
        for (name, queue) in &queues.configs {
            let text = |number: Option<u32>| number.map(|number| number.to_string());
            let overrides = [
                ("ack_wait", queue.ack_wait.map(time)),
                ("max_deliver", text(queue.max_deliver)),
                ("max_ack_pending", text(queue.max_ack_pending)),
                ("concurrency", text(queue.concurrency)),
                ("max_running_per_key", text(queue.max_running_per_key)),
                ("rate", queue.rate.map(|rate| rate.to_string())),
                (
                    "rate_per_key",
                    queue.rate_per_key.map(|rate| rate.to_string()),
                ),
            ];
            for (key, value) in overrides {
                if let Some(value) = value {
                    self.row(format!("queues.configs.{name}.{key}"), value);
                }
            }
        }
    }

    fn workers(&mut self, workers: &WorkersSettings) {
        self.row("workers.concurrency", workers.concurrency);
        self.row(
            "workers.heartbeat_interval",
            time(workers.heartbeat_interval),
        );
        self.row("workers.ttl", time(workers.ttl));
        self.row("workers.max_job_duration", time(workers.max_job_duration));
        self.row("workers.shutdown_timeout", time(workers.shutdown_timeout));
        for (name, pool) in &workers.pools {
            let key = |last: &str| format!("workers.pools.{name}.{last}");
            self.row(key("concurrency"), pool.concurrency);
            self.row(key("queues"), pool.queues.join(","));
        }
        for (kind, handler) in &workers.handlers {
            let key = |last: &str| format!("workers.handlers.{kind}.{last}");
            self.row(key("command"), format!("{:?}", handler.command));
            self.row(key("timeout"), off(handler.timeout.map(time)));
            self.environment(&key("environment"), &handler.environment);
            self.row(
                key("working_directory"),
                path(handler.working_directory.as_deref()),
            );
            self.row(key("max_output"), handler.max_output);
            self.row(key("stop_grace"), time(handler.stop_grace));
        }
    }

    /// The values may be secrets that the command needs.
    fn environment(&mut self, key: &str, variables: &BTreeMap<String, String>) {
        for name in variables.keys() {
            self.row(format!("{key}.{name}"), "***");
        }
    }

    fn results(&mut self, results: &ResultsSettings) {
        self.row("results.ttl", time(results.ttl));
        self.row("results.replicas", results.replicas);
        self.row("results.storage", storage(results.storage));
        self.row("results.max_bytes", off(results.max_bytes));
        self.row("results.notes_ttl", time(results.notes_ttl));
        self.row(
            "results.notes_max_bytes",
            results.notes_max_bytes.to_string(),
        );
    }

    fn payloads(&mut self, payloads: &PayloadsSettings) {
        self.row("payloads.inline_max", payloads.inline_max);
        self.row("payloads.max_size", payloads.max_size);
        self.row("payloads.compression", payloads.compression.as_str());
        self.row("payloads.compress_min", payloads.compress_min);
    }

    fn events(&mut self, events: &EventsSettings) {
        self.row("events.enabled", events.enabled);
        self.row("events.batch_size", events.batch_size);
        self.row("events.flush_interval", time(events.flush_interval));
        self.row("events.max_buffer_size", events.max_buffer_size);
        self.row(
            "events.subject_prefix",
            off(events.subject_prefix.as_deref()),
        );
        self.row("events.stream.name", off(events.stream.name.as_deref()));
        self.row("events.stream.max_age", time(events.stream.max_age));
        self.row("events.stream.max_bytes", events.stream.max_bytes);
        self.row("events.stream.replicas", events.stream.replicas);
        self.row("events.stream.storage", storage(events.stream.storage));
        let filters = &events.filters;
        self.row(
            "events.filters.exclude_heartbeats",
            filters.exclude_heartbeats,
        );
        self.row(
            "events.filters.min_job_duration",
            time(filters.min_job_duration),
        );
    }
}

fn time(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

fn path(path: Option<&Path>) -> String {
    path.map(|path| path.display().to_string())
        .unwrap_or_default()
}

fn off(value: Option<impl Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn storage(storage: Storage) -> &'static str {
    match storage {
        Storage::File => "file",
        Storage::Memory => "memory",
    }
}

#[cfg(test)]
mod tests {
    use crate::{Loader, known_keys};

    const ALL: &str = "
nats: {auth: {username: u, password: hidden-1}, servers: ['nats://u:hidden-2@h']}
queues:
  configs:
    q: {ack_wait: 60, max_deliver: 2, max_ack_pending: 3, concurrency: 4, max_running_per_key: 5, rate: 6/s, rate_per_key: 7/s}
workers:
  pools: {p: {queues: [q]}}
  handlers: {k: {command: [run], environment: {KEY: hidden-3}}}
";

    #[test]
    fn every_key_of_the_table_is_shown_in_its_order() {
        let loaded = Loader::new().text(ALL).load().unwrap();
        let shown: Vec<_> = loaded.show().into_iter().map(|row| row.key).collect();
        let known: Vec<_> = known_keys()
            .map(|info| {
                let path = info.path.replace("<queue>", "q").replace("<pool>", "p");
                path.replace("<kind>", "k").replace("<variable>", "KEY")
            })
            .collect();
        assert_eq!(shown, known);
    }

    #[test]
    fn no_secret_is_printed() {
        let loaded = Loader::new().text(ALL).load().unwrap();
        for text in [format!("{:?}", loaded.show()), format!("{loaded:?}")] {
            assert!(!text.contains("hidden"), "{text}");
        }
    }

    #[test]
    fn a_shown_time_can_be_read_again() {
        let loaded = Loader::new().set("workers.ttl", "90061.5").load().unwrap();
        let rows = loaded.show();
        let row = rows.iter().find(|row| row.key == "workers.ttl").unwrap();
        assert_eq!(
            (row.value.as_str(), row.origin.to_string().as_str()),
            ("1day 1h 1m 1s 500ms", "code")
        );
        let again = Loader::new().set("workers.ttl", &row.value).load().unwrap();
        assert_eq!(again.settings, loaded.settings);
    }
}
