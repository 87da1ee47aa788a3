//! The browser: how it is found, what is said when it is not there, and that nothing of it stays.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use naq_testing::{Browser, BrowserLookup, eventually};
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(60);

/// Written by a shell: a file that this process had open for writing may be held open by a child that another test is just
/// starting, and then cannot be executed.
fn script(directory: &Path, name: &str, text: &str) -> PathBuf {
    let file = directory.join(name);
    let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" >\"$2\" && chmod +x \"$2\"";
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", write, "write", text]).arg(&file);
    assert!(shell.status().unwrap().success());
    file
}

fn on_path(directory: &TempDir) -> BrowserLookup {
    BrowserLookup {
        path: Some(directory.path().into()),
        ..BrowserLookup::default()
    }
}

#[tokio::test]
async fn without_browser_and_installer_it_says_where_it_looked_and_what_to_install() {
    let empty = TempDir::new().unwrap();
    let said = on_path(&empty).find().await.unwrap_err().to_string();
    for part in [
        "NAQ_TEST_BROWSER: not set; PATH: no chromium, no chromium-browser, no google-chrome",
        "NAQ_TEST_CHROMEDRIVER: not set; PATH: no chromedriver",
        "no apt-get on PATH",
        "apt-get install --no-install-recommends chromium chromium-driver",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[tokio::test]
async fn what_is_named_has_to_be_there_and_wins_over_the_path() {
    let directory = TempDir::new().unwrap();
    let apt = script(directory.path(), "apt-get", "exit 1");
    script(directory.path(), "chromium", "");
    script(directory.path(), "chromedriver", "");
    let missing = BrowserLookup {
        browser: Some("/nowhere/chromium".into()),
        ..on_path(&directory)
    };
    let said = missing.find().await.unwrap_err().to_string();
    assert!(
        said.contains("NAQ_TEST_BROWSER: /nowhere/chromium: no such file"),
        "{said}"
    );
    let named = BrowserLookup {
        browser: Some(apt.clone()),
        ..on_path(&directory)
    };
    let found = named.find().await.unwrap();
    assert_eq!(found.browser, apt);
    assert_eq!(found.driver, directory.path().join("chromedriver"));
}

#[tokio::test]
async fn two_that_need_a_browser_at_once_install_it_once() {
    let directory = TempDir::new().unwrap();
    let at = directory.path().display();
    let install = format!(
        "echo \"$@\" >>{at}/calls\n\
         if [ \"$1\" = install ]; then : >{at}/chromium; : >{at}/chromedriver; fi"
    );
    script(directory.path(), "apt-get", &install);
    script(directory.path(), "sudo", "shift; exec \"$@\"");
    let lookup = on_path(&directory);
    let (one, other) = tokio::join!(lookup.find(), lookup.find());
    assert_eq!(one.unwrap(), other.unwrap());
    let calls = fs::read_to_string(directory.path().join("calls")).unwrap();
    let calls: Vec<&str> = calls.lines().collect();
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert!(calls[0].starts_with("update"), "{calls:?}");
    assert!(calls[1].ends_with("chromium chromium-driver"), "{calls:?}");
}

#[tokio::test]
async fn an_installation_that_fails_is_told_with_its_last_words() {
    let directory = TempDir::new().unwrap();
    script(
        directory.path(),
        "apt-get",
        "echo 'E: no network' >&2; exit 100",
    );
    script(directory.path(), "sudo", "shift; exec \"$@\"");
    let said = on_path(&directory).find().await.unwrap_err().to_string();
    assert!(
        said.contains("apt-get update -q` ended with exit status: 100: E: no network"),
        "{said}"
    );
}

/// The processes that have this word among their arguments.
fn mentioning(word: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let arguments = processes.filter_map(|p| fs::read(p.path().join("cmdline")).ok());
    let lines = arguments.map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "));
    lines.filter(|line| line.contains(word)).collect()
}

async fn nothing_is_left_of(files: &str) {
    eventually(LONG, async || {
        let alive = mentioning(files);
        match Path::new(files).exists() {
            false if alive.is_empty() => Ok(()),
            exists => Err((exists, alive)),
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_of_a_browser_is_left_after_a_stop_and_after_a_panic() {
    let browser = Browser::start().await;
    let files = browser.files().display().to_string();
    assert!(mentioning(&files).len() > 2, "browser and watcher");
    browser.stop().await;
    nothing_is_left_of(&files).await;

    let browser = Browser::start().await;
    let files = browser.files().display().to_string();
    let failing = async move {
        browser.goto("data:text/html,<p>hello").await.unwrap();
        assert_eq!(browser.shown("p").await, "a test that fails");
    };
    let test = async { tokio::task::spawn_local(failing).await };
    let ended = tokio::task::LocalSet::new().run_until(test).await;
    assert!(ended.unwrap_err().is_panic());
    nothing_is_left_of(&files).await;
}

const PARENT: &str = "NAQ_TEST_BROWSER_PARENT";

/// The parent's part, for this test when it is started once more by itself: starts a browser, says where, and hangs.
async fn hang_if_started_as_the_parent() {
    if std::env::var_os(PARENT).is_none() {
        return;
    }
    let browser = Browser::start().await;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "\nfiles {}", browser.files().display()).unwrap();
    drop(stdout);
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn nothing_of_a_browser_is_left_when_the_test_program_is_killed() {
    hang_if_started_as_the_parent().await;
    let name = "browser::nothing_of_a_browser_is_left_when_the_test_program_is_killed";
    let mut parent: Child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(PARENT, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let files = lines.find_map(|line| Some(line.unwrap().strip_prefix("files ")?.to_owned()));
    let files = files.expect("the parent says where its browser's files are");
    assert!(mentioning(&files).len() > 2);
    parent.kill().unwrap();
    parent.wait().unwrap();
    nothing_is_left_of(&files).await;
}
