//! Plain async functions as handlers: extractors first, then the arguments.

use std::marker::PhantomData;

use futures::FutureExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::registry::{Handle, Work};
use super::state::Need;
use super::{FromJob, JobError};
use crate::wire::{FailureReason, JobFailure};
use crate::worker::JobContext;

/// An async function that can run the jobs of a [`crate::Kind<A, R>`].
///
/// It takes up to four [`FromJob`] parameters in any order, then the arguments `A`; a kind without arguments (`A = ()`) may
/// leave those out. It returns a `Result` of `R`. `M` only tells the forms apart and is never written.
#[diagnostic::on_unimplemented(
    message = "this function cannot run jobs of a kind with the arguments `{A}` and the result `{R}`",
    note = "write `async fn(JobContext, State<T>, .., {A}) -> Result<{R}, JobError>`: what comes from the worker first, then \
            the arguments; each parameter of a closure needs its type"
)]
pub trait Handler<M, A, R>: Send + Sync + 'static {
    /// Runs one attempt.
    #[doc(hidden)]
    fn call(&self, context: &JobContext, args: A) -> HandlerFuture;

    /// The states that it needs.
    #[doc(hidden)]
    fn needs() -> Vec<Need>;
}

/// The work of one attempt.
#[doc(hidden)]
#[expect(missing_debug_implementations, reason = "a future has none")]
pub struct HandlerFuture(Work);

/// Marks functions that take the arguments.
#[doc(hidden)]
#[derive(Debug)]
pub struct WithArgs<T>(PhantomData<T>);

/// Marks functions without arguments.
#[doc(hidden)]
#[derive(Debug)]
pub struct WithoutArgs<T>(PhantomData<T>);

fn work<Fut, R, E>(work: Fut) -> HandlerFuture
where
    Fut: Future<Output = Result<R, E>> + Send + 'static,
    R: Serialize,
    E: Into<JobError>,
{
    HandlerFuture(Box::pin(async move {
        let value = work.await.map_err(Into::into)?;
        written(&value)
    }))
}

/// A result as it goes into the outcome.
pub(super) fn written(value: &impl Serialize) -> Result<Box<RawValue>, JobError> {
    serde_json::value::to_raw_value(value)
        .map_err(|e| JobError::of(JobFailure::new(FailureReason::InvalidResult, e.to_string())))
}

/// The arguments of a job.
pub(super) fn read<A: DeserializeOwned>(payload: &RawValue) -> Result<A, JobFailure> {
    serde_json::from_str(payload.get())
        .map_err(|e| JobFailure::new(FailureReason::InvalidPayload, e.to_string()))
}

fn given<const N: usize>(needs: [Option<Need>; N]) -> Vec<Need> {
    needs.into_iter().flatten().collect()
}

macro_rules! extracted {
    ($context:ident, $($value:ident: $from:ident),*) => {
        $(
            let $value = match $from::from_job($context) {
                Ok(value) => value,
                Err(error) => return HandlerFuture(std::future::ready(Err(error)).boxed()),
            };
        )*
    };
}

macro_rules! handlers {
    ($context:ident; $($value:ident: $from:ident),*) => {
        impl<Func, Fut, A, R, E, $($from),*> Handler<WithArgs<($($from,)*)>, A, R> for Func
        where
            Func: Fn($($from,)* A) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = Result<R, E>> + Send + 'static,
            R: Serialize,
            E: Into<JobError>,
            $($from: FromJob,)*
        {
            fn call(&self, $context: &JobContext, args: A) -> HandlerFuture {
                extracted!($context, $($value: $from),*);
                work(self($($value,)* args))
            }

            fn needs() -> Vec<Need> {
                given([$($from::need(),)*])
            }
        }

        impl<Func, Fut, R, E, $($from),*> Handler<WithoutArgs<($($from,)*)>, (), R> for Func
        where
            Func: Fn($($from,)*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = Result<R, E>> + Send + 'static,
            R: Serialize,
            E: Into<JobError>,
            $($from: FromJob,)*
        {
            fn call(&self, $context: &JobContext, (): ()) -> HandlerFuture {
                extracted!($context, $($value: $from),*);
                work(self($($value,)*))
            }

            fn needs() -> Vec<Need> {
                given([$($from::need(),)*])
            }
        }
    };
}

handlers!(_context;);
handlers!(context; a: T1);
handlers!(context; a: T1, b: T2);
handlers!(context; a: T1, b: T2, c: T3);
handlers!(context; a: T1, b: T2, c: T3, d: T4);

/// A function with its types.
pub(in crate::worker) struct Typed<H, M, A, R> {
    handler: H,
    types: PhantomData<fn(M, A) -> R>,
}

impl<H, M, A, R> Typed<H, M, A, R> {
    pub(in crate::worker) fn new(handler: H) -> Self {
        Self {
            handler,
            types: PhantomData,
        }
    }
}

impl<H, M, A, R> Handle for Typed<H, M, A, R>
where
    H: Handler<M, A, R>,
    A: DeserializeOwned,
{
    fn call(&self, context: JobContext, payload: &RawValue) -> Result<Work, JobFailure> {
        let args = read(payload)?;
        Ok(self.handler.call(&context, args).0)
    }

    fn needs(&self) -> Vec<Need> {
        H::needs()
    }
}
