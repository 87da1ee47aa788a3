//! Profiles, built in and in files.

use std::time::Duration;

use naq_config::Loader;

use crate::{load, problems, problems_of};

const PROFILES: &str = "
nats: {client_name: base}
environments:
  development:
    nats:
      servers: [\"nats://localhost:4222\"]
      client_name: \"dev-client\"
  production:
    nats:
      servers: [\"nats://prod1:4222\", \"nats://prod2:4222\"]
      client_name: \"prod-client\"
      max_reconnect_attempts: 10
      reconnect_time_wait: 5.0
  old:
    name: old
    overrides:
      nats.client_name: old-client
      workers.handlers.email.send.command: [run]
";

#[test]
fn a_chosen_profile_changes_what_it_names_and_nothing_else() {
    assert_eq!(load(PROFILES, &[]).settings.nats.client_name, "base");
    let dev = Loader::new()
        .text(PROFILES)
        .profile("development")
        .load()
        .unwrap()
        .settings;
    assert_eq!(dev.nats.client_name, "dev-client");
    let prod = load(PROFILES, &[("NAQ_ENVIRONMENT", "production")])
        .settings
        .nats;
    assert_eq!(prod.servers, ["nats://prod1:4222", "nats://prod2:4222"]);
    assert_eq!(
        (prod.client_name.as_str(), prod.max_reconnect_attempts),
        ("prod-client", Some(10))
    );
    assert_eq!(prod.reconnect_time_wait, Duration::from_secs(5));
    assert_eq!(prod.ping_interval, Duration::from_secs(120));
}

#[test]
fn a_profile_of_the_old_form_has_keys_with_dots() {
    let old = load(PROFILES, &[("NAQ_ENVIRONMENT", "old")]).settings;
    assert_eq!(old.nats.client_name, "old-client");
    assert_eq!(old.workers.handlers["email.send"].command, ["run"]);
}

#[test]
fn code_beats_the_variable_in_choosing_a_profile() {
    let loader = Loader::new()
        .text(PROFILES)
        .env([("NAQ_ENVIRONMENT", "production")]);
    let settings = loader.profile("development").load().unwrap().settings;
    assert_eq!(settings.nats.client_name, "dev-client");
}

#[test]
fn a_built_in_profile_does_not_beat_what_somebody_wrote() {
    let production = ("NAQ_ENVIRONMENT", "production");
    assert_eq!(load("", &[production]).settings.workers.concurrency, 50);
    let file = "workers: {concurrency: 20}";
    assert_eq!(load(file, &[production]).settings.workers.concurrency, 20);
    let env = [production, ("NAQ_WORKER_CONCURRENCY", "7")];
    assert_eq!(load(file, &env).settings.workers.concurrency, 7);
}

#[test]
fn an_unknown_profile_is_an_error_that_names_the_known_ones() {
    let loader = || Loader::new().text(PROFILES);
    assert_eq!(
        problems_of(loader().env([("NAQ_ENVIRONMENT", "prodution")])),
        [
            "NAQ_ENVIRONMENT: no profile `prodution`; known: development, old, production, testing; \
          did you mean `production`?"
        ]
    );
    assert_eq!(
        problems_of(Loader::new().profile("nosuchenv")),
        ["profile: no profile `nosuchenv`; known: development, production, testing"]
    );
}

#[test]
fn a_profile_that_is_not_chosen_is_checked_but_needs_no_variables() {
    let text = "
environments:
  blue:
    nats: {auth: {password: '${SECRET}', username: me}, servers: '${S}'}
    worker: {ttl: 5}
    workers: {ttl: never}
";
    assert_eq!(
        problems(text),
        [
            "(text):5:5 (profile blue): environments.blue.worker: unknown key; \
             did you mean `workers`?",
            "(text):6:20 (profile blue): environments.blue.workers.ttl: must be a time such as \
             2.5 (seconds), 500ms or 1h30m, not `never`",
        ]
    );
}
