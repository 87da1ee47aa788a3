//! Environment variables, and variables inside values.

use std::time::Duration;

use naq_config::{Loader, Settings};

use crate::{load, one_problem, problems, problems_of};

#[test]
fn every_variable_reaches_its_key() {
    let env: Vec<(&str, &str)> = naq_config::known_keys()
        .filter_map(|info| {
            let value = match info.path {
                "nats.servers" => "tls://a:1, ws://[::1]:2",
                "nats.max_reconnect_attempts" => "0",
                path if one_way_is_enough(path) => return None,
                "nats.tls.enabled" | "events.enabled" => "on",
                path if path.starts_with("nats.tls") || path.starts_with("nats.auth") => "text",
                "nats.client_name" | "queues.default" | "queues.prefix" => "123",
                path if path.ends_with("replicas") => "3",
                "workers.ttl" | "workers.max_job_duration" => "500",
                "nats.max_pending_bytes" => "4KiB",
                _ => "4",
            };
            Some((*info.variables.first()?, value))
        })
        .collect();
    let loaded = load("", &env);
    for info in naq_config::known_keys().filter(|info| !one_way_is_enough(info.path)) {
        if let Some(var) = info.variables.first() {
            assert_eq!(loaded.origins.of(info.path).to_string(), *var);
        }
    }
    let Settings {
        nats,
        queues,
        workers,
        results,
        payloads: _,
        events,
    } = loaded.settings;
    assert_eq!(nats.servers, ["tls://a:1", "ws://[::1]:2"]);
    assert_eq!(
        (nats.client_name.as_str(), nats.max_reconnect_attempts),
        ("123", Some(0))
    );
    assert!(nats.tls.enabled);
    assert_eq!((queues.replicas, results.replicas), (3, 3));
    assert_eq!(workers.ttl, Duration::from_secs(500));
    assert_eq!((events.batch_size, events.max_buffer_size), (4, 4));
    assert_eq!(events.stream.name.as_deref(), Some("4"));
}

#[test]
fn what_events_cannot_be_is_said_by_its_key() {
    let text = "events: {batch_size: 20, max_buffer_size: 10, flush_interval: 1ms, storage_url: x, \
                subject_prefix: a..b, stream: {name: a.b, max_age: 168h, max_bytes: 1GB, replicas: 9}, \
                filters: {exclude_heartbeats: true, min_job_duration: 0}}";
    let found = problems(text);
    for key in [
        "events.batch_size: `events.batch_size` must not be more than",
        "events.flush_interval: must be at least 100ms",
        "events.storage_url: events are kept on the server of the jobs",
        "events.subject_prefix: `` is not a valid prefix",
        "events.stream.name: `a.b` is not a valid prefix",
        "events.stream.replicas: must be from 1 to 5",
    ] {
        assert!(
            found.iter().any(|line| line.contains(key)),
            "{key}: {found:?}"
        );
    }
    assert_eq!(found.len(), 6, "{found:?}");
}

/// Ways of authentication exclude each other; the user name and the password are tried.
fn one_way_is_enough(path: &str) -> bool {
    path.starts_with("nats.auth.") && !matches!(path, "nats.auth.username" | "nats.auth.password")
}

#[test]
fn each_way_of_authentication_has_its_variable() {
    let seed = format!("SU{}", "A".repeat(56));
    for info in naq_config::known_keys().filter(|info| one_way_is_enough(info.path)) {
        let loaded = load("", &[(info.variables[0], &seed)]);
        assert_eq!(loaded.origins.of(info.path).to_string(), info.variables[0]);
        assert_ne!(
            loaded.settings.nats.auth,
            naq_config::settings::Auth::default()
        );
    }
}

#[test]
fn a_variable_and_its_older_name_are_the_same() {
    for (name, value, check) in [
        (
            "NAQ_CONCURRENCY",
            "1",
            (|s| s.workers.concurrency == 1) as fn(&Settings) -> bool,
        ),
        ("NAQ_WORKER_CONCURRENCY", "1", |s| {
            s.workers.concurrency == 1
        }),
        ("NAQ_MAX_RECONNECT", "4", |s| {
            s.nats.max_reconnect_attempts == Some(4)
        }),
        ("NAQ_MAX_RECONNECT_ATTEMPTS", "4", |s| {
            s.nats.max_reconnect_attempts == Some(4)
        }),
        ("NAQ_NATS_CLIENT_NAME", "on", |s| s.nats.client_name == "on"),
        ("NAQ_PREFIX", "x", |s| s.queues.prefix == "x"),
        ("NAQ_ACK_WAIT", "9", |s| s.queues.ack_wait.as_secs() == 9),
        ("NAQ_RESULT_TTL", "1h", |s| s.results.ttl.as_secs() == 3600),
        ("NAQ_CLIENT_NAME", "", |s| {
            s.nats.client_name == "naq-client"
        }),
    ] {
        assert!(check(&load("", &[(name, value)]).settings), "{name}");
    }
    let same = [("NAQ_CONCURRENCY", "4"), ("NAQ_WORKER_CONCURRENCY", "4")];
    assert_eq!(load("", &same).settings.workers.concurrency, 4);
    let differ = [("NAQ_CONCURRENCY", "4"), ("NAQ_WORKER_CONCURRENCY", "5")];
    assert_eq!(
        problems_of(Loader::new().env(differ)),
        [
            "NAQ_WORKER_CONCURRENCY: workers.concurrency: `NAQ_WORKER_CONCURRENCY` and \
          `NAQ_CONCURRENCY` mean the same but differ; unset one of them"
        ]
    );
}

#[test]
fn ack_wait_per_queue_is_a_json_object() {
    let var = "NAQ_ACK_WAIT_PER_QUEUE";
    let text = "queues: {configs: {a: {ack_wait: 5, max_deliver: 2}}}";
    let settings = load(text, &[(var, r#"{"a": 60, "b": "2m"}"#)]).settings;
    assert_eq!(settings.queues.ack_wait_of("a"), Duration::from_secs(60));
    assert_eq!(settings.queues.max_deliver_of("a"), 2);
    assert_eq!(settings.queues.ack_wait_of("b"), Duration::from_secs(120));
    for wrong in ["60", "[1]", "{", "a: 1", "{\"a\": 1} x"] {
        assert_eq!(
            problems_of(Loader::new().env([(var, wrong)])),
            [
                "NAQ_ACK_WAIT_PER_QUEUE: queues.configs: must be a JSON object such as \
              {\"emails\": 60}"
            ],
            "{wrong}"
        );
    }
    let found = problems_of(Loader::new().env([(var, r#"{"a.b": 1, "c": "x", "d": 0}"#)]));
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(
        found
            .iter()
            .all(|problem| problem.starts_with("NAQ_ACK_WAIT_PER_QUEUE: queues."))
    );
}

#[test]
fn variables_without_a_meaning_are_listed_and_change_nothing() {
    let env = [
        ("NAQ_JOB_STATUS_TTL", "5"),
        ("NAQ_CONCURENCY", "5"),
        ("PATH", "/bin"),
    ];
    let loaded = load("", &env);
    assert_eq!(loaded.settings, Settings::default());
    assert_eq!(
        loaded.unknown_variables,
        ["NAQ_CONCURENCY", "NAQ_JOB_STATUS_TTL"]
    );
}

/// The names of all earlier documents (the seeds and the original's configuration).
const DOCUMENTED: &str = "NAQ_NATS_URL NAQ_CLIENT_NAME NAQ_NATS_CLIENT_NAME NAQ_MAX_RECONNECT_ATTEMPTS NAQ_MAX_RECONNECT \
    NAQ_RECONNECT_TIME_WAIT NAQ_CONNECTION_TIMEOUT NAQ_DRAIN_TIMEOUT NAQ_NATS_AUTH_USERNAME NAQ_NATS_AUTH_PASSWORD \
    NAQ_NATS_AUTH_TOKEN NAQ_NATS_TLS_ENABLED NAQ_NATS_TLS_CERT_FILE NAQ_NATS_TLS_KEY_FILE NAQ_NATS_TLS_CA_FILE \
    NAQ_DEFAULT_QUEUE NAQ_QUEUE_PREFIX NAQ_DEFAULT_ACK_WAIT NAQ_ACK_WAIT_PER_QUEUE NAQ_WORKER_CONCURRENCY NAQ_CONCURRENCY \
    NAQ_WORKER_HEARTBEAT_INTERVAL NAQ_WORKER_TTL NAQ_MAX_JOB_DURATION NAQ_WORKER_SHUTDOWN_TIMEOUT NAQ_SCHEDULER_ENABLED \
    NAQ_SCHEDULER_LOCK_TTL NAQ_SCHEDULER_LOCK_RENEW_INTERVAL NAQ_MAX_SCHEDULE_FAILURES NAQ_SCHEDULER_SCAN_INTERVAL \
    NAQ_EVENTS_ENABLED NAQ_EVENT_LOGGER_BATCH_SIZE NAQ_EVENT_LOGGER_FLUSH_INTERVAL NAQ_EVENT_LOGGER_MAX_BUFFER_SIZE \
    NAQ_EVENT_STORAGE_URL NAQ_EVENT_SUBJECT_PREFIX NAQ_EVENT_STREAM_NAME NAQ_DEFAULT_RESULT_TTL NAQ_JOB_STATUS_TTL \
    NAQ_RESULT_CLEANUP_INTERVAL NAQ_RESULT_KV_BUCKET NAQ_JOB_SERIALIZER NAQ_JSON_ENCODER NAQ_JSON_DECODER NAQ_LOG_LEVEL \
    NAQ_LOG_FORMAT NAQ_LOG_FILE_PATH NAQ_LOG_TO_FILE_ENABLED NAQ_LOG_MAX_SIZE NAQ_ENVIRONMENT";

/// EV6.
#[test]
fn every_documented_variable_sets_something_or_says_what_to_do_instead() {
    for name in DOCUMENTED.split_whitespace() {
        let loaded = Loader::new().env([(name, "")]).load().unwrap();
        let sets = !loaded.unknown_variables.contains(&name.to_owned());
        let advice = naq_config::advice_for_variable(name);
        assert_ne!(sets, advice.is_some(), "{name}: {advice:?}");
    }
}

#[test]
fn a_variable_is_expanded_in_values_only() {
    let text = "
# a comment with ${NOT_SET} is a comment
nats:
  client_name: ${NAME}
queues: {default: '${QUEUE:-jobs}', prefix: \"$$\"}
";
    let env = [("NAME", "x\nworkers: {concurrency: 1}"), ("QUEUE", "")];
    let error = Loader::new().text(text).env(env).load().unwrap_err();
    assert_eq!(error.problems().len(), 1, "{error}");
    assert!(
        error
            .to_string()
            .contains("queues.prefix: `$` is not a valid prefix"),
        "{error}"
    );

    let loaded = load(&text.replace("$$", "p"), &env);
    assert_eq!(
        loaded.settings.nats.client_name,
        "x\nworkers: {concurrency: 1}"
    );
    assert_eq!(loaded.settings.workers.concurrency, 10);
    assert_eq!(loaded.settings.queues.default, "jobs");
}

#[test]
fn a_variable_without_value_and_default_is_named_with_its_key() {
    let text = "nats:\n  auth:\n    username: ${NATS_USER}\n    password: x\n  servers:\n  - nats://a\n  - ${MORE}\n";
    assert_eq!(
        problems(text),
        [
            "(text):3:15: nats.auth.username: the variable `NATS_USER` is not set; set it, or \
             give a default with `${NATS_USER:default}`",
            "(text):7:5: nats.servers: the variable `MORE` is not set; set it, or give a default \
             with `${MORE:default}`",
        ]
    );
    let env = [
        ("NAQ_NATS_AUTH_USERNAME", "me"),
        ("NAQ_NATS_URL", "nats://b"),
    ];
    assert_eq!(
        load(text, &env).settings.nats.auth.username.as_deref(),
        Some("me")
    );
    one_problem(
        "nats: {client_name: '${A'}",
        "(text):1:21: nats.client_name: `${` is not closed; write `$$` for a literal `$`",
    );
}
