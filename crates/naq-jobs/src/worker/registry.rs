//! Which handler runs which kind. Only what is registered runs: no code ever travels in a payload.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{JobContext, JobError};
use crate::wire::{FailureReason, JobFailure};

/// The registered handlers, by kind.
#[derive(Default, Clone)]
pub(super) struct Registry {
    handlers: HashMap<String, Arc<dyn Handle>>,
}

/// The future that does the work of one attempt.
pub(super) type Work = BoxFuture<'static, Result<Box<RawValue>, JobError>>;

/// A handler without its types.
pub(super) trait Handle: Send + Sync {
    /// Decodes the payload, then makes the future that does the work.
    fn call(&self, context: JobContext, payload: &RawValue) -> Result<Work, JobFailure>;
}

impl Registry {
    pub(super) fn insert(&mut self, kind: impl Into<String>, handler: Arc<dyn Handle>) {
        self.handlers.insert(kind.into(), handler);
    }

    pub(super) fn get(&self, kind: &str) -> Option<&Arc<dyn Handle>> {
        self.handlers.get(kind)
    }

    pub(super) fn kinds(&self) -> Vec<String> {
        let mut kinds: Vec<_> = self.handlers.keys().cloned().collect();
        kinds.sort();
        kinds
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.handlers.keys()).finish()
    }
}

/// A plain async function as a handler.
pub(super) struct Function<F, A, R> {
    function: F,
    types: PhantomData<fn(A) -> R>,
}

impl<F, A, R> Function<F, A, R> {
    pub(super) fn new(function: F) -> Self {
        Self {
            function,
            types: PhantomData,
        }
    }
}

impl<F, Fut, A, R, E> Handle for Function<F, A, R>
where
    F: Fn(JobContext, A) -> Fut + Send + Sync,
    Fut: Future<Output = Result<R, E>> + Send + 'static,
    A: DeserializeOwned,
    R: Serialize,
    E: Into<JobError>,
{
    fn call(&self, context: JobContext, payload: &RawValue) -> Result<Work, JobFailure> {
        let args = serde_json::from_str(payload.get())
            .map_err(|e| JobFailure::new(FailureReason::InvalidPayload, e.to_string()))?;
        let work = (self.function)(context, args);
        Ok(Box::pin(async move {
            let value = work.await.map_err(Into::into)?;
            serde_json::value::to_raw_value(&value).map_err(|e| {
                JobError::of(JobFailure::new(FailureReason::InvalidResult, e.to_string()))
            })
        }))
    }
}
