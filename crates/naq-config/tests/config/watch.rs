//! A program that follows its configuration file.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use naq_config::{ConfigError, Loaded, Loader, Watch, WatchError};

/// Far more than a change takes, on a machine that is busy.
const SOON: Duration = Duration::from_secs(20);

type Heard = Result<Loaded, ConfigError>;

fn follow(loader: Loader) -> (Loaded, Watch, Receiver<Heard>) {
    let (heard, changes) = channel();
    let (loaded, watch) = loader
        .watch(move |change| heard.send(change).unwrap())
        .unwrap();
    (loaded, watch, changes)
}

fn concurrency(changes: &Receiver<Heard>) -> u32 {
    changes
        .recv_timeout(SOON)
        .unwrap()
        .unwrap()
        .settings
        .workers
        .concurrency
}

fn set(path: &Path, concurrency: u32) {
    fs::write(path, format!("workers: {{concurrency: {concurrency}}}\n")).unwrap();
}

#[test]
fn a_written_and_an_exchanged_file_are_noticed_and_one_that_says_the_same_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("naq.yaml");
    set(&file, 1);
    let (loaded, watch, changes) = follow(Loader::new().file(&file));
    assert_eq!(loaded.settings.workers.concurrency, 1);
    set(&file, 2);
    assert_eq!(concurrency(&changes), 2);
    // As editors do it.
    let new = dir.path().join("naq.yaml.new");
    fs::write(&new, "# a comment more\nworkers: {concurrency: 2}\n").unwrap();
    fs::rename(&new, &file).unwrap();
    // Nothing may be heard for a while: longer than it takes for a change to be told.
    let nothing = changes.recv_timeout(Duration::from_millis(600));
    assert_eq!(nothing.unwrap_err(), RecvTimeoutError::Timeout);
    set(&new, 3);
    fs::rename(&new, &file).unwrap();
    assert_eq!(concurrency(&changes), 3);
    drop(watch);
    set(&file, 4);
    // The sender has gone with the callback: nobody can be told any more, and nobody was.
    assert!(changes.recv().is_err());
}

#[test]
fn a_bad_file_is_told_once_and_a_good_one_after_it_too() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("naq.yaml");
    set(&file, 1);
    let (_, _watch, changes) = follow(Loader::new().file(&file));
    fs::write(&file, "workers: {concurency: 2}\n").unwrap();
    let error = changes.recv_timeout(SOON).unwrap().unwrap_err();
    assert!(
        error.to_string().contains("did you mean `concurrency`"),
        "{error}"
    );
    fs::remove_file(&file).unwrap();
    let error = changes.recv_timeout(SOON).unwrap().unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
    // What was there before the mistake is good news after it.
    set(&file, 1);
    assert_eq!(concurrency(&changes), 1);
}

#[test]
fn a_mounted_volume_that_exchanges_its_directory_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for (version, concurrency) in [("v1", 1), ("v2", 2), ("v3", 3)] {
        fs::create_dir(at(version)).unwrap();
        set(&at(version).join("naq.yaml"), concurrency);
    }
    symlink("v1", at("..data")).unwrap();
    symlink("..data/naq.yaml", at("naq.yaml")).unwrap();
    let (_, _watch, changes) = follow(Loader::new().file(at("naq.yaml")));
    for (version, concurrency_there) in [("v2", 2), ("v3", 3)] {
        symlink(version, at("..new")).unwrap();
        fs::rename(at("..new"), at("..data")).unwrap();
        assert_eq!(concurrency(&changes), concurrency_there);
    }
    // A write behind the links.
    set(&at("v3").join("naq.yaml"), 4);
    assert_eq!(concurrency(&changes), 4);
}

#[test]
fn a_standard_file_that_comes_into_being_is_noticed_and_flags_stay() {
    let dir = tempfile::tempdir().unwrap();
    let loader = Loader::new()
        .standard_files_in(dir.path().join("etc"), dir.path())
        .set("workers.ttl", "99");
    let (loaded, _watch, changes) = follow(loader);
    assert!(loaded.files.is_empty());
    set(&dir.path().join("naq.yml"), 7);
    let loaded = changes.recv_timeout(SOON).unwrap().unwrap();
    assert_eq!(loaded.settings.workers.concurrency, 7);
    assert_eq!(loaded.settings.workers.ttl.as_secs(), 99);
}

#[test]
fn a_watch_does_not_begin_with_settings_that_cannot_be_loaded() {
    let refused = Loader::new().set("workers.ttl", "never").watch(|_| {});
    assert!(matches!(refused, Err(WatchError::Settings(_))));
}
