//! What a user reads when something is wrong.

use naq_config::{ConfigError, Loader, Settings};

use crate::{one_problem, problems, problems_of};

#[test]
fn one_report_has_every_problem_with_its_place() {
    let text = "\
nats:
  servers: [nats://good, 'http://user:hidden@bad', nope]
  client_nme: x
  auth: {token: t, username: u}
  tls: {cert_file: a.pem}
queues:
  default: emails.high
  ack_wait: 10ms
  replicas: 6
  replicas: 1
  configs:
    a b: {ack_wait: 5}
    ok: {max_deliver: 0}
workers:
  concurrency: many
  heartbeat_interval: 60
  pools:
    p: {concurrency: 1, queues: [a, b]}
    q: {}
  handlers:
    k: {command: run it}
logging: {enabled: true}
results: {cleanup_interval: 5, ttl: 0}
";
    let loader = Loader::new()
        .text(text)
        .env([("NAQ_PING_INTERVAL", "soon")])
        .set("workers.tll", "5")
        .set_by("--shutdown", "workers.shutdown_timeout", "2h");
    let error = loader.load().unwrap_err();
    let want = "\
23 problems in the configuration
(text):2:26: nats.servers[1]: Invalid NATS server URL format: `http://***@bad`: the scheme must be nats, tls, ws or wss
(text):2:52: nats.servers[2]: Invalid NATS server URL format: `nope`: it must begin with nats://, tls://, ws:// or wss://
(text):3:3: nats.client_nme: unknown key; did you mean `client_name`?
(text):4:17: nats.auth.token: these exclude each other: nats.auth.token, nats.auth.username; set one of them
(text):4:30: nats.auth.username: a user name needs a password
(text):5:20: nats.tls.cert_file: a certificate needs `nats.tls.key_file`
(text):7:12: queues.default: `emails.high` is not a valid queue name: a dot separates the tokens of a NATS subject; use `-` or `_` instead
(text):8:13: queues.ack_wait: must be at least 1s, not 10ms
(text):9:13: queues.replicas: must be from 1 to 5, not 6
(text):10:3: the key `replicas` is there twice; the first is on line 9
(text):12:5: queues.configs.a b: `a b` is not a valid queue name: the character ' ' is not allowed
(text):13:23: queues.configs.ok.max_deliver: must be at least 1, not 0
(text):15:16: workers.concurrency: must be a whole number from 0 to 4294967295, not `many`
(text):16:23: workers.heartbeat_interval: `workers.heartbeat_interval` must be less than `workers.ttl`, or a living worker is forgotten between two signs of life
(text):18:22: workers.pools.p.concurrency: a pool of 2 queues needs a concurrency of at least 2, not 1: each queue runs one job
(text):19:8: workers.pools.q: a pool serves at least one queue
(text):21:18: workers.handlers.k.command: must be a list, not `run it`
(text):22:1: logging: the command `naq` logs to standard error at `--log-level`, a program as it likes; remove this section
(text):23:11: results.cleanup_interval: the server expires results itself; remove this key
(text):23:37: results.ttl: must be at least 1s, not 0s
NAQ_PING_INTERVAL: nats.ping_interval: must be a time such as 2.5 (seconds), 500ms or 1h30m, not `soon`
code: workers.tll: unknown key; did you mean `ttl`?
--shutdown: workers.shutdown_timeout: `workers.shutdown_timeout` must not be more than `workers.max_job_duration`: no job runs that long";
    assert_eq!(error.to_string(), want);
}

#[test]
fn no_servers_is_an_error_in_every_layer() {
    one_problem(
        "nats: {servers: []}",
        "(text):1:17: nats.servers: No NATS servers configured",
    );
    assert_eq!(
        problems_of(Loader::new().env([("NAQ_NATS_URL", ",")])),
        ["NAQ_NATS_URL: nats.servers: No NATS servers configured"]
    );
}

#[test]
fn every_server_of_settings_made_in_code_is_checked() {
    let mut settings = Settings::default();
    assert!(settings.validate().is_ok());
    for good in [
        "tls://a",
        "ws://a:80/x",
        "wss://a",
        "nats://u:p@a:1",
        "nats://[::1]:4222",
    ] {
        settings.nats.servers.push(good.to_owned());
    }
    assert!(settings.validate().is_ok());
    for bad in ["http://a", "a:4222"] {
        settings.nats.servers.push(bad.to_owned());
    }
    let report = settings.validate().unwrap_err();
    let messages: Vec<_> = report
        .problems()
        .iter()
        .map(|p| p.message.as_str())
        .collect();
    assert_eq!(messages.len(), 2, "{report}");
    assert!(
        messages
            .iter()
            .all(|m| m.starts_with("Invalid NATS server URL format"))
    );
    settings.nats.servers.clear();
    let report = settings.validate().unwrap_err();
    assert_eq!(report.problems()[0].message, "No NATS servers configured");
}

#[test]
fn long_and_deep_texts_are_answered_in_bounded_time() {
    let many = 50_000;
    let nested = format!("{}x{}", "${A:".repeat(many), "}".repeat(many));
    let bomb: String = (0..30)
        .map(|n| format!("a{}: &b{} [*b{n}, *b{n}, *b{n}, *b{n}]\n", n + 1, n + 1))
        .collect();
    for text in [
        format!("nats: {{client_name: '{}'}}", "${A:x}".repeat(many)),
        format!("nats: {{client_name: '{nested}'}}"),
        format!("nats: {{client_name: '{}'}}", "${".repeat(many)),
        format!("a0: &b0 [x]\n{bomb}"),
        format!("nats: {}", "[".repeat(many)),
        format!("nats: {{servers: [{}]}}", "x,".repeat(many)),
    ] {
        let started = std::time::Instant::now();
        let _outcome = Loader::new().text(text).load();
        // A second on a busy machine; anything quadratic takes minutes.
        assert!(started.elapsed() < std::time::Duration::from_secs(30));
    }
}

#[test]
fn ways_of_authentication_exclude_each_other_in_one_problem() {
    let all = "nats: {auth: {username: u, password: hidden, token: hidden, nkey_seed_file: f, credentials_file: c}}";
    one_problem(
        all,
        "(text):1:98: nats.auth.credentials_file: these exclude each other: \
         nats.auth.credentials_file, nats.auth.nkey_seed_file, nats.auth.token, \
         nats.auth.username; set one of them",
    );
    one_problem(
        "nats: {auth: {nkey_seed: SUhidden}}",
        "(text):1:26: nats.auth.nkey_seed: must be the seed of a user: 58 characters that begin with `SU`",
    );
}

#[test]
fn ranges_have_their_exact_ends() {
    for (key, good, bad) in [
        ("workers.concurrency", "1", "0"),
        ("workers.concurrency", "1000", "1001"),
        ("queues.replicas", "5", "6"),
        ("results.replicas", "1", "0"),
        ("queues.ack_wait", "1", "999ms"),
        ("results.ttl", "1s", "0.999"),
        ("workers.max_job_duration", "24h", "86401"),
        ("workers.shutdown_timeout", "3600", "3601"),
        ("workers.heartbeat_interval", "59.9", "60"),
        ("nats.max_reconnect_attempts", "-1", "-2"),
        ("nats.max_outstanding_pings", "1", "0"),
        ("nats.max_pending_bytes", "1KiB", "1023"),
        ("nats.max_pending_messages", "1", "0"),
        ("nats.reconnect_time_wait", "0", "-0.1"),
        ("results.max_bytes", "1", "0"),
        ("queues.max_age", "1", "0"),
    ] {
        let load = |value: &str| Loader::new().set(key, value).load();
        assert!(load(good).is_ok(), "{key} {good}");
        let error = load(bad).expect_err(key);
        assert_eq!(error.problems()[0].key.as_deref(), Some(key), "{key} {bad}");
    }
}

#[test]
fn wrong_shapes_say_what_is_expected() {
    one_problem(
        "nats.servers: [nats://a]\n",
        "(text):1:1: nats.servers: a key with dots; write it as nested maps",
    );
    one_problem("- a\n", "(text):1:1: must be a map of sections, not a list");
    one_problem(
        "nats: 5\n",
        "(text):1:7: nats: must be a map, not a single value",
    );
    one_problem(
        "nats: {client_name: [a]}\n",
        "(text):1:21: nats.client_name: must be a text, not a list",
    );
    one_problem(
        "workers:\n  concurrency:\n",
        "(text):2:14: workers.concurrency: must be a whole number from 0 to 4294967295, but has no \
         value",
    );
    one_problem(
        "nats: {servers: [{url: a}]}\n",
        "(text):1:18: nats.servers: an element must be a single value, not a map",
    );
    one_problem(
        "environments: {a: 5}\n",
        "(text):1:19 (profile a): environments.a: must be a map of sections, not a single value",
    );
    one_problem(
        "workers: {pools: {p: 5}}\n",
        "(text):1:22: workers.pools.p: must be a map, not `5`",
    );
    one_problem(
        "nats: {servers: [nats://a], url: x}\n",
        "(text):1:29: nats.url: the key is called `nats.servers` and takes a list",
    );
    let broken = problems("nats:\n  servers: [a\nworkers: {}\n");
    assert_eq!(broken.len(), 1);
    assert!(broken[0].contains("not valid YAML"), "{broken:?}");
}

#[test]
fn sections_without_a_meaning_say_what_to_do_instead() {
    for (section, advice) in [
        (
            "scheduler",
            "schedules live in the server: there is no scheduler process, leader or scan; remove this section",
        ),
        (
            "serialization",
            "payloads and results are JSON in each language; remove this section",
        ),
        (
            "logging",
            "the command `naq` logs to standard error at `--log-level`, a program as it likes; remove this section",
        ),
    ] {
        let text = format!("{section}: {{enabled: true}}\n");
        one_problem(&text, &format!("(text):1:1: {section}: {advice}"));
    }
}

#[test]
fn secrets_do_not_appear_in_reports_or_debug_output() {
    let text =
        "nats: {servers: ['nats://u:hidden@ho st'], auth: {password: hidden, token: hidden}}";
    let error: ConfigError = Settings::from_yaml(text).unwrap_err();
    assert!(
        !format!("{error} {error:?}").contains("hidden"),
        "{error:?}"
    );
    let loader = Loader::new()
        .text("nats: {auth: {username: u, password: hidden}, servers: ['nats://u:hidden@h']}")
        .env([("HIDDEN", "hidden")]);
    assert!(!format!("{loader:?}").contains("hidden"));
    assert!(!format!("{:?}", loader.load().unwrap()).contains("hidden"));
    let env = [
        ("NAQ_NATS_AUTH_TOKEN", "hidden"),
        ("NAQ_NATS_AUTH_USERNAME", "u"),
    ];
    assert!(
        !problems_of(Loader::new().env(env))
            .concat()
            .contains("hidden")
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_loader_panic(
        text in "((nats|workers|queues|pools|handlers|environments|a.b|servers|ttl|\\$\\{A:?)(: |:\n  |:\n    |: \\[|: \\{|, |\\}|\n)){0,12}|\\PC{0,80}",
        value in "\\PC{0,20}",
    ) {
        let loader = Loader::new().text(text.as_str()).env([("A", value.as_str()), ("NAQ_ACK_WAIT_PER_QUEUE", &text)]);
        let _outcome = loader.set(text.as_str(), value.as_str()).profile(value).load();
    }
}
