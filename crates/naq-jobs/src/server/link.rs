//! What every part of this crate needs: the connections, the names, the settings.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use naq_config::Settings;
use naq_connection::{Connection, ConnectionService};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::JobsError;
use crate::events::Recorder;
use crate::model::{Priority, QueueName};
use crate::wire::Names;

/// A cheap handle; clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    service: ConnectionService,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    names: Names,
    settings: Settings,
    events: Recorder,
    /// Priorities of queues that have a consumer, as far as this process has seen to it.
    levels: std::sync::Mutex<HashSet<(QueueName, Priority)>>,
    /// When the streams were last made again; held while somebody does it.
    repaired: Mutex<Option<Instant>>,
}

impl Link {
    pub(crate) fn new(service: ConnectionService, settings: Settings) -> Self {
        let names = Names::new(settings.queues.prefix.clone());
        Self {
            service,
            shared: Arc::new(Shared {
                names,
                events: Recorder::new(&settings.events),
                settings,
                levels: std::sync::Mutex::default(),
                repaired: Mutex::new(None),
            }),
        }
    }

    /// Whether jobs of this priority have been seen to before.
    pub(crate) fn knows_level(&self, queue: &QueueName, priority: Priority) -> bool {
        let levels = self
            .shared
            .levels
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        levels.contains(&(queue.clone(), priority))
    }

    /// Remembers that jobs of this priority have been seen to.
    pub(crate) fn note_level(&self, queue: QueueName, priority: Priority) {
        let mut levels = self
            .shared
            .levels
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        levels.insert((queue, priority));
    }

    /// Held while the streams are made again; says when that was done last.
    pub(super) async fn repaired(&self) -> MutexGuard<'_, Option<Instant>> {
        self.shared.repaired.lock().await
    }

    /// A lease on the shared connection.
    pub(crate) async fn lease(&self, context: &str) -> Result<Connection, JobsError> {
        self.service
            .connection()
            .await
            .map_err(|e| JobsError::connection(context, e))
    }

    pub(crate) fn names(&self) -> &Names {
        &self.shared.names
    }

    /// Where what happens is told.
    pub(crate) fn events(&self) -> &Recorder {
        &self.shared.events
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    pub(crate) fn service(&self) -> &ConnectionService {
        &self.service
    }
}
