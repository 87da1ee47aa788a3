//! The driver as a child, and with it all that it starts.
//!
//! Owns: the lifeline, a pipe into a shell script that nobody writes to. When it closes, since the [`Process`] was dropped
//! or the test was killed, the script ends the driver's process group: the driver, the browser and its children.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::find::Programs;

type Output = Lines<BufReader<ChildStdout>>;

const WATCHER: &str = include_str!("watcher.sh");

/// Where the driver says its port, once it has one; it says more than that.
const STARTED: &str = "started successfully on port ";

/// A cold start on a machine that does other things, too.
const START: Duration = Duration::from_secs(60);

const STOP: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Process {
    driver: Child,
    watcher: Child,
    lifeline: Option<ChildStdin>,
    /// Kept, so that the driver may go on to say something.
    output: Output,
    pub(super) port: u16,
}

impl Process {
    /// Starts the driver. `files` is where its browser keeps its own; removed at the end.
    pub(super) async fn start(programs: &Programs, files: &Path) -> io::Result<Self> {
        let mut driver = Command::new(&programs.driver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let output = driver.stdout.take();
        let output = output.ok_or_else(|| io::Error::other("the driver has no output"))?;
        let group = driver.id().map(|id| id.to_string()).unwrap_or_default();
        let mut watcher = Command::new("/bin/sh")
            .args(["-c", WATCHER, "browser-watcher", &group])
            .arg(files)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let mut process = Self {
            lifeline: watcher.stdin.take(),
            driver,
            watcher,
            output: BufReader::new(output).lines(),
            port: 0,
        };
        process.port = timeout(START, port(&mut process.output)).await??;
        Ok(process)
    }

    /// Ends all, and waits until the files are gone.
    pub(super) async fn stop(mut self) {
        drop(self.lifeline.take());
        let gone = async { (self.driver.wait().await, self.watcher.wait().await) };
        drop(timeout(STOP, gone).await);
    }
}

async fn port(lines: &mut Output) -> io::Result<u16> {
    let mut said = Vec::new();
    while let Some(line) = lines.next_line().await? {
        let number = line.split_once(STARTED).map(|(_, rest)| rest);
        let number = number.map(|rest| rest.trim_end_matches('.').parse());
        if let Some(Ok(port)) = number {
            return Ok(port);
        }
        said.push(line);
    }
    let said = said.join(" | ");
    Err(io::Error::other(format!(
        "the driver has ended and said: {said}"
    )))
}
