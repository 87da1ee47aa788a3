//! Which layer wins, and what is remembered of it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use naq_config::{Loader, Origin, Settings};

use crate::problems_of;

/// Every subset of the layers is loaded; the last layer of the subset must win.
#[test]
fn the_later_layer_wins_in_every_combination() {
    const LAYERS: [(&str, u32); 7] = [
        ("built-in profile", 1),
        ("system", 11),
        ("user", 12),
        ("local", 13),
        ("profile", 14),
        ("env", 15),
        ("flag", 16),
    ];
    for mask in 0_u32..1 << LAYERS.len() {
        let on = |layer: usize| mask & (1 << layer) != 0;
        let dir = tempfile::tempdir().unwrap();
        let file = |path: &Path, layer: usize| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut text = format!("workers: {{concurrency: {}}}\n", LAYERS[layer].1);
            if layer == 3 && on(4) {
                text.push_str("environments: {testing: {workers: {concurrency: 14}}}\n");
            }
            fs::write(path, text).unwrap();
        };
        let (system, home, work) = (
            dir.path().join("etc"),
            dir.path().join("home"),
            dir.path().join("work"),
        );
        if on(1) {
            file(&system.join("config.yaml"), 1);
        }
        if on(2) {
            file(&home.join(".naq/config.yaml"), 2);
        }
        if on(3) {
            file(&work.join("naq.yaml"), 3);
        }
        let profile_in_file = on(3) && on(4);
        let mut loader = Loader::new()
            .env([("HOME", home.to_str().unwrap())])
            .standard_files_in(&system, &work);
        if on(0) || profile_in_file {
            loader = loader.profile("testing");
        }
        if on(5) {
            loader = loader.env([("NAQ_CONCURRENCY", "15")]);
        }
        if on(6) {
            loader = loader.set_by("--concurrency", "workers.concurrency", "16");
        }
        let effective = |&layer: &usize| on(layer) && (layer != 4 || profile_in_file);
        let want = (0..LAYERS.len()).rfind(effective);
        let want = want.map_or(10, |layer| LAYERS[layer].1);
        let loaded = loader.load().unwrap();
        assert_eq!(
            loaded.settings.workers.concurrency, want,
            "layers {mask:07b}"
        );
    }
}

#[test]
fn values_of_several_files_are_merged_key_by_key() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("config.yaml"),
        "nats: {client_name: system, ping_interval: 10}\nqueues: {configs: {a: {max_deliver: 1}}}\n",
    )
    .unwrap();
    fs::write(dir.path().join("naq.yml"), "nats: {client_name: yml}\n").unwrap();
    fs::write(
        dir.path().join("naq.yaml"),
        "nats:\n  client_name: yaml\nqueues: {configs: {a: {ack_wait: 5}, b: {ack_wait: 6}}}\n",
    )
    .unwrap();
    let loaded = Loader::new()
        .standard_files_in(dir.path(), dir.path())
        .load()
        .unwrap();
    assert_eq!(loaded.settings.nats.client_name, "yaml");
    assert_eq!(loaded.settings.nats.ping_interval, Duration::from_secs(10));
    assert_eq!(loaded.settings.queues.max_deliver_of("a"), 1);
    assert_eq!(
        loaded.settings.queues.ack_wait_of("a"),
        Duration::from_secs(5)
    );
    assert_eq!(
        loaded.settings.queues.ack_wait_of("b"),
        Duration::from_secs(6)
    );
    assert_eq!(loaded.files.len(), 3);
    let origin = loaded.origins.of("nats.client_name").to_string();
    assert!(origin.ends_with("naq.yaml:2:16"), "{origin}");
}

#[test]
fn a_named_file_is_the_only_one_and_must_exist() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("naq.yaml"), "nats: {client_name: local}\n").unwrap();
    fs::write(dir.path().join("my.yaml"), "workers: {concurrency: 3}\n").unwrap();
    let standard = || Loader::new().standard_files_in(dir.path(), dir.path());
    let loaded = standard().file(dir.path().join("my.yaml")).load().unwrap();
    assert_eq!(loaded.settings.nats.client_name, "naq-client");
    assert_eq!(loaded.settings.workers.concurrency, 3);

    let missing = problems_of(standard().file(dir.path().join("missing.yaml")));
    assert_eq!(missing.len(), 1);
    assert!(
        missing[0].contains("missing.yaml: cannot be read: "),
        "{missing:?}"
    );
    let folder = problems_of(standard().file(dir.path()));
    assert!(folder[0].contains("cannot be read"), "{folder:?}");
}

#[test]
fn an_unreadable_standard_file_is_a_problem_and_a_missing_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let loaded = Loader::new()
        .standard_files_in(dir.path(), dir.path())
        .load()
        .unwrap();
    assert_eq!(loaded.settings, Settings::default());
    fs::write(dir.path().join("naq.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    let found = problems_of(Loader::new().standard_files_in(dir.path(), dir.path()));
    assert!(found[0].contains("naq.yaml: cannot be read"), "{found:?}");
}

#[test]
fn origins_say_which_layer_a_value_came_from() {
    let loaded = Loader::new()
        .text("nats:\n  client_name: a\nenvironments:\n  blue:\n    queues: {default: blue}\n")
        .env([("NAQ_NATS_URL", "nats://h"), ("NAQ_ENVIRONMENT", "blue")])
        .set_by("--concurrency", "workers.concurrency", "7")
        .load()
        .unwrap();
    let of = |key: &str| loaded.origins.of(key).to_string();
    assert_eq!(of("nats.client_name"), "(text):2:16");
    assert_eq!(of("queues.default"), "(text):5:23 (profile blue)");
    assert_eq!(of("nats.servers"), "NAQ_NATS_URL");
    assert_eq!(of("workers.concurrency"), "--concurrency");
    assert_eq!(*loaded.origins.of("results.ttl"), Origin::Default);
    assert_eq!(loaded.profile.as_deref(), Some("blue"));
}

#[test]
fn a_pool_without_concurrency_takes_that_of_the_last_layer() {
    let text = "workers: {concurrency: 3, pools: {p: {queues: [a, b]}}}";
    let loader = Loader::new().text(text).env([("NAQ_CONCURRENCY", "6")]);
    assert_eq!(
        loader.load().unwrap().settings.workers.pools["p"].concurrency,
        6
    );
}

#[test]
fn a_problem_is_shown_in_the_layer_that_won() {
    let text = "nats: {servers: [nats://a, nats://b], ping_interval: '${UNSET}'}";
    let env = [
        ("NAQ_NATS_URL", "nats://a,wrong"),
        ("NAQ_PING_INTERVAL", "0"),
    ];
    assert_eq!(
        problems_of(Loader::new().text(text).env(env)),
        [
            "NAQ_NATS_URL: nats.servers[1]: Invalid NATS server URL format: `wrong`: it must \
             begin with nats://, tls://, ws:// or wss://",
            "NAQ_PING_INTERVAL: nats.ping_interval: must be at least 1ms, not 0s",
        ]
    );
}
