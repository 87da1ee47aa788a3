//! The files that the documents show.

use std::time::Duration;

use naq_config::Settings;
use naq_config::settings::Storage;

use crate::load;

pub(crate) const SCHEMA: &str = r#"
nats:
  servers:
    - "nats://localhost:4222"
  client_name: "naq-client"
  max_reconnect_attempts: 5
  reconnect_time_wait: 2.0
  connection_timeout: 10.0

  # Advanced connection settings
  drain_timeout: 30.0
  flush_timeout: 5.0
  ping_interval: 120.0
  max_outstanding_pings: 2

  # TLS settings (if needed)
  tls:
    enabled: false
    cert_file: ""
    key_file: ""
    ca_file: ""
"#;

pub(crate) const SCHEMA_WITH_VARIABLES: &str = r#"
nats:
  servers: ["${NAQ_NATS_URL:nats://localhost:4222}"]
  client_name: "${NAQ_CLIENT_NAME:naq-client}"
  max_reconnect_attempts: ${NAQ_MAX_RECONNECT:5}
"#;

#[test]
fn the_documented_schema_loads() {
    let nats = Settings::from_yaml(SCHEMA).unwrap().nats;
    assert_eq!(nats.servers, ["nats://localhost:4222"]);
    assert_eq!(nats.max_reconnect_attempts, Some(5));
    assert_eq!(nats.reconnect_time_wait, Duration::from_secs(2));
    assert_eq!(nats.ping_interval, Duration::from_secs(120));
    assert_eq!(nats.tls, naq_config::settings::Tls::default());
}

#[test]
fn the_documented_schema_with_variables_loads() {
    let nats = load(SCHEMA_WITH_VARIABLES, &[]).settings.nats;
    assert_eq!(nats.servers, ["nats://localhost:4222"]);
    assert_eq!(
        (nats.client_name.as_str(), nats.max_reconnect_attempts),
        ("naq-client", Some(5))
    );

    let env = [
        ("NAQ_NATS_URL", "nats://a:1,nats://b:2"),
        ("NAQ_CLIENT_NAME", "123"),
        ("NAQ_MAX_RECONNECT", "9"),
    ];
    let nats = load(SCHEMA_WITH_VARIABLES, &env).settings.nats;
    assert_eq!(nats.servers, ["nats://a:1", "nats://b:2"]);
    assert_eq!(
        (nats.client_name.as_str(), nats.max_reconnect_attempts),
        ("123", Some(9))
    );
}

#[test]
fn the_minimal_example_loads() {
    let text = "nats:\n  servers: [\"nats://localhost:4222\"]\n  client_name: \"naq-client\"\n  \
                max_reconnect_attempts: 5\n  reconnect_time_wait: 2.0\n";
    assert_eq!(
        Settings::from_yaml(text)
            .unwrap()
            .nats
            .max_reconnect_attempts,
        Some(5)
    );
    assert_eq!(Settings::from_yaml("").unwrap(), Settings::default());
    assert_eq!(
        Settings::from_yaml("nats:\nworkers: {}\n").unwrap(),
        Settings::default()
    );
}

#[test]
fn every_section_loads_with_units_and_named_entries() {
    let text = "
nats: {max_reconnect_attempts: unlimited, auth: {username: u, password: 007}}
queues:
  storage: memory
  max_age: 168h
  dead_letters: {max_age: 30d}
  configs:
    emails: {ack_wait: 2m, max_deliver: 9, max_ack_pending: 4}
    quiet:
workers:
  concurrency: 20
  pools:
    fast: {queues: [emails, quiet], concurrency: 30}
    slow: {queues: reports}
  handlers:
    email.send:
      command: [python, -c, 'print(1), print(2)']
      timeout: 90
      environment: {PRICE: $5, NAME: '${WHO:you}'}
      working_directory: /srv
      max_output: 64KiB
results: {ttl: 1h30m, replicas: 3, max_bytes: 1GB}
";
    let settings = load(text, &[]).settings;
    assert_eq!(settings.nats.max_reconnect_attempts, None);
    assert_eq!(settings.nats.auth.password.unwrap().expose(), "007");
    assert_eq!(settings.queues.storage, Storage::Memory);
    assert_eq!(settings.results.max_bytes, Some(1_000_000_000));
    assert_eq!(
        settings.queues.dead_letters.max_age,
        Some(Duration::from_secs(30 * 86_400))
    );
    assert_eq!(settings.queues.max_ack_pending_of("emails"), 4);
    assert!(settings.queues.configs.contains_key("quiet"));
    assert_eq!(settings.workers.pools["fast"].concurrency, 30);
    assert_eq!(settings.workers.pools["slow"].concurrency, 20);
    assert_eq!(settings.workers.pools["slow"].queues, ["reports"]);
    let handler = &settings.workers.handlers["email.send"];
    assert_eq!(handler.command, ["python", "-c", "print(1), print(2)"]);
    assert_eq!(handler.timeout, Some(Duration::from_secs(90)));
    assert_eq!(handler.environment["PRICE"], "$5");
    assert_eq!(handler.environment["NAME"], "you");
    assert_eq!(handler.max_output, 65_536);
    assert_eq!(settings.results.ttl, Duration::from_secs(5_400));
    assert_eq!(
        (settings.results.replicas, settings.queues.replicas),
        (3, 1)
    );
}
