//! One attempt: the handler's future under its limits, with panics caught.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::FutureExt;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use super::handler::Handle;
use super::job_log::{CURRENT, is_captured};
use super::prepare::Prepared;
use super::signal::Signal;
use super::verdict::AttemptEnd;
use super::{JobContext, JobError};
use crate::wire::{FailureReason, JobFailure};

/// Longest time that a handler gets to end by itself when the worker stops: jobs have to be handed back after it.
const ABORT_GRACE: Duration = Duration::from_secs(1);

/// What can end an attempt from outside.
#[derive(Debug)]
pub(super) struct Limits<'a> {
    /// The time limit.
    pub(super) timeout: Duration,
    /// The lease has lapsed.
    pub(super) lost: &'a Signal,
    /// The worker stops for good.
    pub(super) abort: &'a CancellationToken,
}

/// Runs the handler once.
pub(super) async fn run(
    prepared: &Prepared<'_>,
    context: JobContext,
    limits: &Limits<'_>,
) -> AttemptEnd {
    let Prepared { handler, payload } = prepared;
    let end = supervise(&**handler, &context, payload, limits).await;
    // What the handler has spawned hears of the end here; its own future is dropped by now.
    context.end();
    match (end, context.cancellation()) {
        // A result that came in the grace is offered: whoever ended the job first wins. Nothing else is tried again.
        (AttemptEnd::Failed(_) | AttemptEnd::Interrupted, Some(cancelled)) => {
            AttemptEnd::Failed(JobError::of(cancelled))
        }
        (end, _) => end,
    }
}

async fn supervise(
    handler: &dyn Handle,
    context: &JobContext,
    payload: &RawValue,
    limits: &Limits<'_>,
) -> AttemptEnd {
    // The handler's code also runs while its future is made, so that is inside the catch, too.
    let made = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let _entered = context.enter_trace();
        handler.call(context.clone(), payload)
    }));
    let work = match made {
        Ok(Ok(work)) => work,
        Ok(Err(failure)) => return AttemptEnd::Failed(JobError::of(failure)),
        Err(panic) => return AttemptEnd::Failed(panicked(&*panic)),
    };
    // Only for a layer that wants to know which job an event belongs to.
    let work = if is_captured() {
        Box::pin(CURRENT.scope(context.clone(), work))
    } else {
        work
    };
    let work = match &context.0.trace {
        Some(trace) => Box::pin(Arc::clone(trace).around(work)),
        None => work,
    };
    let mut work = std::pin::pin!(AssertUnwindSafe(work).catch_unwind());
    // Most of what ends the attempt from outside has to be listened to only by a job that takes its time.
    let is_over = limits.lost.is_given() || limits.abort.is_cancelled();
    if !is_over && let Poll::Ready(result) = futures::poll!(&mut work) {
        return ended(result);
    }
    // Boxed, since each job would carry it from its start.
    Box::pin(outlast(work, handler, context, limits)).await
}

/// Waits for the end of a handler that takes its time, or ends it.
async fn outlast<W>(
    mut work: Pin<&mut W>,
    handler: &dyn Handle,
    context: &JobContext,
    limits: &Limits<'_>,
) -> AttemptEnd
where
    W: Future<Output = std::thread::Result<Result<Box<RawValue>, JobError>>>,
{
    let (end, grace) = tokio::select! {
        biased;
        () = limits.lost.given() => return AttemptEnd::LeaseLost,
        () = limits.abort.cancelled() => (AttemptEnd::Interrupted, handler.grace().min(ABORT_GRACE)),
        result = &mut work => return ended(result),
        () = context.hard_stop() => return AttemptEnd::Interrupted,
        () = tokio::time::sleep(limits.timeout) => (timed_out(limits.timeout), handler.grace()),
    };
    if !grace.is_zero() {
        context.cancelled().cancel();
        tokio::select! {
            () = limits.lost.given() => return AttemptEnd::LeaseLost,
            // What it says now comes too late.
            _ = work => {}
            () = tokio::time::sleep(grace) => {}
        }
    }
    end
}

fn timed_out(limit: Duration) -> AttemptEnd {
    let text = format!("job timed out after {limit:?}");
    AttemptEnd::Failed(JobError::of(JobFailure::new(FailureReason::Timeout, text)))
}

fn ended(result: std::thread::Result<Result<Box<RawValue>, JobError>>) -> AttemptEnd {
    match result {
        Ok(Ok(value)) => AttemptEnd::Done(value),
        Ok(Err(error)) => AttemptEnd::Failed(error),
        Err(panic) => AttemptEnd::Failed(panicked(&*panic)),
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> JobError {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "the panic carries no text".to_owned());
    JobError::of(JobFailure::new(FailureReason::Panic, text))
}
