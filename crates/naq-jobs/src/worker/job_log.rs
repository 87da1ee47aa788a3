//! Events of `tracing` inside a job, as lines of its log.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::JobContext;

/// Whether there is a layer; without one, no job is made known to it.
static CAPTURED: AtomicBool = AtomicBool::new(false);

tokio::task_local! {
    /// The job that this task runs.
    pub(super) static CURRENT: JobContext;
}

pub(super) fn is_captured() -> bool {
    CAPTURED.load(Ordering::Relaxed)
}

/// A layer of `tracing-subscriber` that copies events inside of a job into the job's log, from level INFO up.
///
/// Inside is what the handler's own task does, also in functions that block; what it spawns is not. Install it once, for all
/// workers of the process.
///
/// ```
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let subscriber = tracing_subscriber::registry().with(naq_jobs::JobLogLayer::new());
/// # drop(subscriber);
/// ```
#[derive(Debug, Clone)]
pub struct JobLogLayer {
    level: Level,
}

impl JobLogLayer {
    /// From level INFO up.
    pub fn new() -> Self {
        CAPTURED.store(true, Ordering::Relaxed);
        Self { level: Level::INFO }
    }

    /// From this level up.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }
}

impl Default for JobLogLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Subscriber> Layer<S> for JobLogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() > self.level {
            return;
        }
        let said = CURRENT.try_with(|context| {
            let mut line = Line::default();
            event.record(&mut line);
            context.log(*event.metadata().level(), line.message + &line.fields);
        });
        // Outside of a job there is nobody to tell.
        let _ = said;
    }
}

/// The text of an event: its message, then its fields.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a text cannot fail.
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }
}
