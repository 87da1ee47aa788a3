//! The settings that the book shows are settings.

use std::time::Duration;

use naq::{Loader, Settings};

use crate::chapters::fences;

#[test]
fn every_settings_file_of_the_book_loads() {
    let files = fences("yaml");
    assert!(files.len() >= 4, "{files:#?}");
    for file in files {
        let loaded = Loader::new().text(&file.text).load();
        assert!(loaded.is_ok(), "{}: {}", file.place, loaded.unwrap_err());
    }
}

#[test]
fn the_file_of_the_guide_sets_what_it_shows() {
    let files = fences("yaml");
    let whole = files.iter().find(|file| file.text.contains("ca_file"));
    let nats = Settings::from_yaml(&whole.unwrap().text).unwrap().nats;
    assert_eq!(nats.max_reconnect_attempts, Some(5));
    assert_eq!(nats.reconnect_time_wait, Duration::from_secs(2));
    // The page says that everything else in it is the default.
    let mut default = Settings::default().nats;
    default.max_reconnect_attempts = nats.max_reconnect_attempts;
    default.reconnect_time_wait = nats.reconnect_time_wait;
    assert_eq!(nats, default);
}

#[test]
fn the_profiles_of_the_book_can_be_chosen() {
    let files = fences("yaml");
    let profiles = files.iter().find(|file| file.text.contains("environments"));
    let text = &profiles.unwrap().text;
    let choose = |name: &str| Loader::new().text(text).profile(name).load().unwrap();
    assert_eq!(
        choose("development").settings.nats.client_name,
        "dev-client"
    );
    let production = choose("production").settings.nats;
    assert_eq!(
        production.servers,
        ["nats://prod1:4222", "nats://prod2:4222"]
    );
    assert_eq!(production.max_reconnect_attempts, Some(10));
    assert_eq!(production.reconnect_time_wait, Duration::from_secs(5));
}

#[test]
fn every_exported_variable_sets_something() {
    let exports: Vec<(String, String)> = fences("sh")
        .iter()
        .flat_map(|block| block.text.lines())
        .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()))
        .collect();
    assert!(exports.len() >= 8, "{exports:?}");
    for (name, value) in exports {
        let loaded = Loader::new().env([(name.as_str(), value.as_str())]).load();
        let loaded = loaded.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(loaded.unknown_variables, [""; 0], "{name}");
    }
    let env = [
        ("NAQ_CLIENT_NAME", "my-service"),
        ("NAQ_RECONNECT_TIME_WAIT", "2.0"),
    ];
    let nats = Loader::new().env(env).load().unwrap().settings.nats;
    assert_eq!(nats.client_name, "my-service");
    assert_eq!(nats.reconnect_time_wait, Duration::from_secs(2));
}
