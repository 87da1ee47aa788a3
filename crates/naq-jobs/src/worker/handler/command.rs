//! A program as a handler: payload on standard input, result from standard output, exit code as the outcome.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | completed; standard output is the result: its JSON value, else its text, `null` if empty |
//! | 65 (`EX_DATAERR`) | failed, and a retry is useless |
//! | any other, or a signal | failed; retried as the job's policy says |
//!
//! The program is started directly, without a shell, in a process group of its own. When the attempt ends early (cancelled, time
//! limit, the worker stops) the group gets SIGTERM, and SIGKILL after `stop_grace`: nothing that it has started outlives it.
//! When the lease is lost it is killed at once, since another worker may run the job by then.

use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use naq_config::settings::CommandHandler;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::JobError;
use super::registry::{Handle, Work};
use crate::wire::{FailureReason, JobFailure};
use crate::worker::JobContext;

/// Exit code that says: do not try again.
pub const EXIT_FATAL: i32 = 65;

/// Bytes of standard error that are kept for the message: its end.
const KEPT_STDERR: usize = 4096;

/// Runs one configured command.
#[derive(Debug, Clone)]
pub(in crate::worker) struct CommandJob(Arc<CommandHandler>);

/// Kills the whole process group when it goes, however the attempt ended.
struct Group(Option<Pid>);

impl CommandJob {
    pub(in crate::worker) fn new(handler: CommandHandler) -> Self {
        Self(Arc::new(handler))
    }
}

impl Handle for CommandJob {
    fn call(&self, context: JobContext, payload: &RawValue) -> Result<Work, JobFailure> {
        let (handler, input) = (Arc::clone(&self.0), payload.get().to_owned());
        Ok(Box::pin(async move {
            let ended = run(&handler, &context, input).await;
            ended.map_err(JobError::of)
        }))
    }

    fn grace(&self) -> Duration {
        self.0.stop_grace
    }
}

async fn run(
    handler: &CommandHandler,
    context: &JobContext,
    input: String,
) -> Result<Box<RawValue>, JobFailure> {
    let mut child = command(handler, context).spawn().map_err(|e| {
        let text = format!("could not start {}: {e}", program(handler));
        JobFailure::new(FailureReason::Error, text)
    })?;
    let mut group = Group::of(&child);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async move {
        if let Some(mut stdin) = stdin {
            // A program that does not read its input closes the pipe; that is its right.
            drop(stdin.write_all(input.as_bytes()).await);
        }
    };
    let work = async {
        tokio::join!(
            feed,
            read_up_to(stdout, handler.max_output),
            read_end(stderr, KEPT_STDERR),
            child.wait()
        )
    };
    let mut work = std::pin::pin!(work);
    let ((), output, errors, status) = tokio::select! {
        ended = &mut work => ended,
        () = context.cancelled().cancelled() => {
            group.end(Signal::TERM);
            // Whoever ends the attempt drops this future after the grace.
            let ended = work.await;
            // What the program has left behind does not get longer than itself.
            group.end(Signal::KILL);
            ended
        }
        () = tokio::time::sleep(handler.timeout.unwrap_or(Duration::MAX)) => {
            group.end(Signal::TERM);
            drop(tokio::time::timeout(handler.stop_grace, work).await);
            return Err(timed_out(handler));
        }
    };
    group.0 = None;
    let status = status.map_err(|e| {
        JobFailure::new(
            FailureReason::Error,
            format!("lost {}: {e}", program(handler)),
        )
    })?;
    match (status.success(), output) {
        (true, Ok(Some(output))) => result_of(&output),
        (true, Ok(None)) => Err(JobFailure::new(
            FailureReason::InvalidResult,
            format!(
                "{} wrote more than {} bytes (`workers.handlers.{}.max_output`)",
                program(handler),
                handler.max_output,
                context.kind()
            ),
        )),
        (true, Err(e)) => Err(JobFailure::new(
            FailureReason::Error,
            format!("read its output: {e}"),
        )),
        (false, _) => Err(failed(handler, status, &errors)),
    }
}

fn command(handler: &CommandHandler, context: &JobContext) -> Command {
    let mut parts = handler.command.iter();
    let mut command = Command::new(parts.next().map_or("", String::as_str));
    command.args(parts);
    // The worker's own settings may hold credentials, and are no business of the program.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("NAQ_") {
            command.env_remove(name);
        }
    }
    command
        .envs(&handler.environment)
        .env("NAQ_JOB_ID", context.id().as_str())
        .env("NAQ_JOB_KIND", context.kind().as_str())
        .env("NAQ_JOB_QUEUE", context.queue().as_str())
        .env("NAQ_JOB_ATTEMPT", context.attempt().to_string())
        // Whatever the worker itself was started under is not the job's trace.
        .env_remove("TRACEPARENT")
        .env_remove("TRACESTATE")
        .envs(context.trace().into_iter().flat_map(|trace| {
            trace
                .pairs()
                .map(|(name, value)| (name.to_ascii_uppercase(), value))
        }))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .process_group(0);
    if let Some(directory) = &handler.working_directory {
        command.current_dir(directory);
    }
    command
}

/// All of it, or `None` if it is longer than `limit`; then the rest is still read, so that the program can end.
async fn read_up_to(
    from: Option<impl AsyncRead + Unpin>,
    limit: u64,
) -> std::io::Result<Option<Vec<u8>>> {
    let Some(mut from) = from else {
        return Ok(Some(Vec::new()));
    };
    let mut kept = Vec::new();
    (&mut from)
        .take(limit.saturating_add(1))
        .read_to_end(&mut kept)
        .await?;
    if u64::try_from(kept.len()).unwrap_or(u64::MAX) <= limit {
        return Ok(Some(kept));
    }
    tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
    Ok(None)
}

/// The last `limit` bytes.
async fn read_end(from: Option<impl AsyncRead + Unpin>, limit: usize) -> Vec<u8> {
    let Some(mut from) = from else {
        return Vec::new();
    };
    let (mut kept, mut chunk) = (Vec::new(), [0_u8; 4096]);
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        kept.extend_from_slice(&chunk[..count]);
        let excess = kept.len().saturating_sub(limit);
        kept.drain(..excess);
    }
    kept
}

fn result_of(output: &[u8]) -> Result<Box<RawValue>, JobFailure> {
    let invalid = |text: String| JobFailure::new(FailureReason::InvalidResult, text);
    let text = std::str::from_utf8(output)
        .map_err(|e| invalid(format!("the output is neither JSON nor UTF-8 text: {e}")))?;
    let json = if text.trim().is_empty() {
        "null"
    } else {
        text.trim()
    };
    if let Ok(value) = serde_json::from_str::<&RawValue>(json) {
        return Ok(value.to_owned());
    }
    serde_json::value::to_raw_value(text.trim_end()).map_err(|e| invalid(e.to_string()))
}

fn failed(handler: &CommandHandler, status: ExitStatus, errors: &[u8]) -> JobFailure {
    let reason = match status.code() {
        Some(EXIT_FATAL) => FailureReason::Fatal,
        _ => FailureReason::Error,
    };
    let said = String::from_utf8_lossy(errors);
    let said = said.trim();
    let text = if said.is_empty() {
        format!("{} ended with {status}", program(handler))
    } else {
        format!("{} ended with {status}: {said}", program(handler))
    };
    JobFailure::new(reason, text)
}

fn timed_out(handler: &CommandHandler) -> JobFailure {
    let limit = handler.timeout.unwrap_or_default();
    let text = format!("{} timed out after {limit:?}", program(handler));
    JobFailure::new(FailureReason::Timeout, text)
}

fn program(handler: &CommandHandler) -> &str {
    handler
        .command
        .first()
        .map_or("the command", String::as_str)
}

impl Group {
    fn of(child: &Child) -> Self {
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        Self(pid.and_then(Pid::from_raw))
    }

    fn end(&self, with: Signal) {
        if let Some(group) = self.0 {
            // It may have ended by itself in this moment; then there is nothing left to end.
            let _ = kill_process_group(group, with);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end(Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_json_or_text_or_nothing() {
        let result = |text: &str| result_of(text.as_bytes()).unwrap().get().to_owned();
        assert_eq!(result("{\"n\": 1}\n"), "{\"n\": 1}");
        assert_eq!(result("hello world\n"), "\"hello world\"");
        assert_eq!(result(" \n"), "null");
        assert_eq!(
            result_of(&[0xff, 0xfe]).unwrap_err().reason,
            FailureReason::InvalidResult
        );
    }

    #[tokio::test]
    async fn only_the_end_of_standard_error_is_kept() {
        let text = "x".repeat(10_000) + "end";
        let kept = read_end(Some(text.as_bytes()), 100).await;
        assert_eq!(kept.len(), 100);
        assert!(kept.ends_with(b"end"));
    }

    #[tokio::test]
    async fn too_much_output_is_noticed_but_read_to_the_end() {
        assert_eq!(
            read_up_to(Some(&b"12345"[..]), 5).await.unwrap().unwrap(),
            b"12345"
        );
        assert_eq!(read_up_to(Some(&b"123456"[..]), 5).await.unwrap(), None);
    }
}
