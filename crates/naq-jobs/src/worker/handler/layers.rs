//! Middleware: `tower` layers around each attempt.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::value::RawValue;
use tower_layer::Layer;
use tower_service::Service;

use super::JobError;
use super::registry::{Handle, Work};
use crate::wire::{FailureReason, JobFailure};
use crate::worker::JobContext;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// One attempt, as a layer sees it: what the job is, and its payload.
#[derive(Clone)]
pub struct AttemptRequest {
    context: JobContext,
    payload: Box<RawValue>,
    handler: Arc<dyn Handle>,
}

/// What the handler returned, as JSON.
#[derive(Debug, Clone)]
pub struct AttemptReply(Box<RawValue>);

/// The error of an attempt, as a layer sees it. [`JobError`] is none itself, since every error can become one.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct AttemptError(JobError);

/// The service that a layer is put around: the layers before it, and inside them the handler.
#[derive(Debug, Clone)]
pub struct AttemptService(Option<Chain>);

impl AttemptRequest {
    /// The job.
    pub fn context(&self) -> &JobContext {
        &self.context
    }

    /// Its payload, as JSON.
    pub fn payload(&self) -> &str {
        self.payload.get()
    }

    /// Gives the handler another payload.
    ///
    /// # Errors
    /// The text is no JSON.
    pub fn set_payload(&mut self, json: String) -> Result<(), serde_json::Error> {
        self.payload = RawValue::from_string(json)?;
        Ok(())
    }
}

impl AttemptReply {
    /// The result, as JSON.
    pub fn json(&self) -> &str {
        self.0.get()
    }
}

impl AttemptError {
    /// The handler's error.
    pub fn into_inner(self) -> JobError {
        self.0
    }
}

impl From<JobError> for AttemptError {
    fn from(error: JobError) -> Self {
        Self(error)
    }
}

/// The layers of a worker, without their types. Cloned for each attempt, as `tower` asks.
#[derive(Clone)]
pub(in crate::worker) struct Chain(Arc<Mutex<dyn Link>>);

type Reply = Result<AttemptReply, BoxError>;

trait Link: Send {
    fn another(&self) -> Box<dyn Once + Send>;
}

trait Once {
    fn run(self: Box<Self>, request: AttemptRequest)
    -> Pin<Box<dyn Future<Output = Reply> + Send>>;
}

/// Puts `layer` around what is there.
pub(in crate::worker) fn stack<L>(inner: Option<Chain>, layer: &L) -> Chain
where
    L: Layer<AttemptService>,
    L::Service: Service<AttemptRequest, Response = AttemptReply> + Clone + Send + 'static,
    <L::Service as Service<AttemptRequest>>::Error: Into<BoxError>,
    <L::Service as Service<AttemptRequest>>::Future: Send,
{
    Chain(Arc::new(Mutex::new(layer.layer(AttemptService(inner)))))
}

impl Service<AttemptRequest> for AttemptService {
    type Response = AttemptReply;
    type Error = AttemptError;
    type Future = BoxFuture<'static, Result<AttemptReply, AttemptError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), AttemptError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: AttemptRequest) -> Self::Future {
        match &self.0 {
            None => {
                let started = request.handler.call(request.context, &request.payload);
                async move {
                    let work = started.map_err(|failure| AttemptError(JobError::of(failure)))?;
                    work.await.map(AttemptReply).map_err(AttemptError)
                }
                .boxed()
            }
            Some(chain) => {
                let once = chain.another();
                async move { once.run(request).await.map_err(|e| AttemptError(undone(e))) }.boxed()
            }
        }
    }
}

impl Chain {
    fn another(&self) -> Box<dyn Once + Send> {
        let link = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        link.another()
    }
}

impl<S> Link for S
where
    S: Service<AttemptRequest, Response = AttemptReply> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    fn another(&self) -> Box<dyn Once + Send> {
        Box::new(self.clone())
    }
}

impl<S> Once for S
where
    S: Service<AttemptRequest, Response = AttemptReply> + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    fn run(
        mut self: Box<Self>,
        request: AttemptRequest,
    ) -> Pin<Box<dyn Future<Output = Reply> + Send>> {
        Box::pin(async move {
            std::future::poll_fn(|context| self.poll_ready(context))
                .await
                .map_err(Into::into)?;
            self.call(request).await.map_err(Into::into)
        })
    }
}

/// A handler with the layers around it.
pub(in crate::worker) struct Layered {
    chain: Chain,
    handler: Arc<dyn Handle>,
}

impl Chain {
    /// `handler` with the layers around it.
    pub(in crate::worker) fn around(&self, handler: Arc<dyn Handle>) -> Layered {
        Layered {
            chain: self.clone(),
            handler,
        }
    }
}

impl Handle for Layered {
    fn call(&self, context: JobContext, payload: &RawValue) -> Result<Work, JobFailure> {
        let once = self.chain.another();
        let request = AttemptRequest {
            context,
            payload: payload.to_owned(),
            handler: Arc::clone(&self.handler),
        };
        Ok(Box::pin(async move {
            once.run(request).await.map(|reply| reply.0).map_err(undone)
        }))
    }

    fn grace(&self) -> Duration {
        self.handler.grace()
    }
}

/// The handler's own error if it comes from there, else one with the text of the layer's.
fn undone(error: BoxError) -> JobError {
    match error.downcast::<AttemptError>() {
        Ok(error) => error.0,
        Err(error) => JobError::of(JobFailure::new(FailureReason::Error, error.to_string())),
    }
}

impl fmt::Debug for AttemptRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptRequest")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chain")
    }
}
