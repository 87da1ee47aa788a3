//! Functions that block, on threads of the worker's own.

use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::function::{read, written};
use super::registry::{Handle, Work};
use super::{JobError, Threads};
use crate::wire::JobFailure;
use crate::worker::JobContext;
use crate::worker::job_log::CURRENT;

/// A blocking function with its types.
pub(in crate::worker) struct Blocking<F, A, R> {
    function: Arc<F>,
    threads: Threads,
    types: PhantomData<fn(A) -> R>,
}

impl<F, A, R> Blocking<F, A, R> {
    pub(in crate::worker) fn new(function: F, threads: Threads) -> Self {
        Self {
            function: Arc::new(function),
            threads,
            types: PhantomData,
        }
    }
}

impl<F, A, R, E> Handle for Blocking<F, A, R>
where
    F: Fn(JobContext, A) -> Result<R, E> + Send + Sync + 'static,
    A: DeserializeOwned + Send + 'static,
    R: Serialize,
    E: Into<JobError>,
{
    fn call(&self, context: JobContext, payload: &RawValue) -> Result<Work, JobFailure> {
        let args: A = read(payload)?;
        let (function, threads) = (Arc::clone(&self.function), self.threads.clone());
        let runtime = tokio::runtime::Handle::current();
        Ok(Box::pin(async move {
            let (telling, told) = oneshot::channel();
            let id = context.id().clone();
            threads.run(move || {
                // The attempt may have ended while this waited for a thread.
                if telling.is_closed() {
                    return;
                }
                let _runtime = runtime.enter();
                let call = AssertUnwindSafe(|| {
                    let current = context.clone();
                    let _entered = current.enter_trace();
                    let value = CURRENT.sync_scope(current.clone(), || function(context, args));
                    written(&value.map_err(Into::into)?)
                });
                if telling.send(std::panic::catch_unwind(call)).is_err() {
                    tracing::warn!(%id, "a blocking handler has ended after its attempt; its result is dropped");
                }
            });
            match told.await {
                Ok(Ok(result)) => result,
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                Err(_closed) => Err(JobError::message("the worker's threads have ended")),
            }
        }))
    }
}
