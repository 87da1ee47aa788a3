//! What a person at a terminal sees besides, and a pipe does not.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::process::{Command, Stdio};

use rustix::io::Errno;
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::json;
use tempfile::tempdir;

use super::command::{Dev, eventually};

const CHECK: &str = r#"
workers:
  handlers:
    check:
      command: [bash, -c, 'exit 1']
"#;

/// Runs a command whose standard error is a terminal; what that shows.
fn shown(mut command: Command) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let size = Winsize {
        ws_row: 40,
        ws_col: 100,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&master, size).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let mut options = OpenOptions::new();
    let terminal = options.read(true).write(true).open(name.to_str().unwrap());
    command.stdout(Stdio::null()).stderr(terminal.unwrap());
    let mut child = command.env("TERM", "xterm").spawn().unwrap();
    // This process has the other end of the terminal open until then.
    drop(command);
    let mut seen = Vec::new();
    // Linux says so, and not 0 bytes, when nobody has the terminal open any more.
    let error = File::from(master).read_to_end(&mut seen).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(Errno::IO.raw_os_error()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    String::from_utf8(seen).unwrap()
}

#[test]
fn a_batch_shows_how_far_it_is_to_a_person_and_not_to_a_pipe() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let file = dir.path().join("jobs.jsonl");
    std::fs::write(&file, "{\"payload\": 1}\n".repeat(3000)).unwrap();
    let batch = ["enqueue", "greet", "--batch", file.to_str().unwrap()];
    let seen = shown(dev.command(&batch));
    assert!(seen.contains("/3000 "), "{seen:?}");
    let last = seen.trim_end().rsplit('\r').next().unwrap();
    assert!(last.contains("3000 lines, batch "), "{seen:?}");
    let piped = dev.naq(&batch).ended_with(0);
    assert!(!piped.err.contains("/3000"), "{piped:?}");
    assert!(!piped.err.contains(['\r', '\u{1b}']), "{piped:?}");
    assert_eq!(piped.out.lines().count(), 3000);
}

#[test]
fn dead_letters_that_are_retried_together_show_how_far_it_is() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let worker = dev.worker(CHECK);
    let retry = ["dead", "retry", "--all", "--kind", "check"];
    let are_dead = || {
        eventually("three are dead", || {
            let dead = dev.naq(&["dead", "list", "--json"]).json();
            dead["dead_letters"].as_array().unwrap().len() == 3
        });
    };
    for _ in 0..3 {
        dev.naq(&["enqueue", "check"]).ended_with(0);
    }
    are_dead();
    let seen = shown(dev.command(&retry));
    assert!(seen.contains("3/3 "), "{seen:?}");
    are_dead();
    let piped = dev.naq(&retry).ended_with(0);
    assert_eq!(piped.err, "");
    assert_eq!(piped.out, "3 of 3 put back into their queues\n");
    are_dead();
    let json = [&retry[..], &["--json"]].concat();
    assert_eq!(dev.naq(&json).ended_with(0).json()["done"], json!(3));
    worker.stop(Signal::TERM).ended_with(0);
}
