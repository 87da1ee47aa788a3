//! The handlers of a processor: each one is tried a few times, and none can do harm to another.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::events::{Event, EventType};

/// Tries of one handler for one event, the pause between them, and the time that one may take.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(100);
const LIMIT: Duration = Duration::from_secs(10);

type Call = dyn Fn(Arc<Event>) -> BoxFuture<'static, Result<(), String>> + Send + Sync;

/// A handler, and what it wants.
struct Handler {
    /// `None`: all.
    only: Option<EventType>,
    call: Box<Call>,
}

/// All handlers, and how they did.
#[derive(Default)]
pub(super) struct Handlers {
    list: Vec<Handler>,
    pub(super) handled: AtomicU64,
    pub(super) failed: AtomicU64,
}

impl Handlers {
    pub(super) fn add<F, Fut, E>(&mut self, only: Option<EventType>, handler: F)
    where
        F: Fn(Arc<Event>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display,
    {
        let call = move |event| {
            let done = handler(event);
            async move { done.await.map_err(|error| error.to_string()) }.boxed()
        };
        self.list.push(Handler {
            only,
            call: Box::new(call),
        });
    }

    /// Gives an event to each handler that wants it.
    pub(super) async fn handle(&self, processor: &str, event: Event) {
        let event = Arc::new(event);
        for handler in &self.list {
            if handler.only.is_some_and(|only| only != event.event_type) {
                continue;
            }
            match handler.handle(&event).await {
                Ok(()) => self.handled.fetch_add(1, Ordering::Relaxed),
                Err(error) => {
                    let (event_type, id) = (event.event_type, event.id());
                    tracing::warn!(processor, %event_type, ?id, error, "an event was not handled");
                    self.failed.fetch_add(1, Ordering::Relaxed)
                }
            };
        }
    }
}

impl Handler {
    async fn handle(&self, event: &Arc<Event>) -> Result<(), String> {
        let mut error = String::new();
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            // The handler's code also runs while its future is made, so that is inside the catch, too.
            let work = async { (self.call)(Arc::clone(event)).await };
            let caught = AssertUnwindSafe(work).catch_unwind();
            error = match tokio::time::timeout(LIMIT, caught).await {
                Ok(Ok(Ok(()))) => return Ok(()),
                Ok(Ok(Err(error))) => error,
                // What panics once panics again.
                Ok(Err(_panic)) => return Err("it panicked".to_owned()),
                Err(_late) => format!("it took longer than {LIMIT:?}"),
            };
        }
        Err(error)
    }
}
