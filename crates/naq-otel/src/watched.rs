//! An exporter that says once that it fails, and once that it works again.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use opentelemetry_otlp::SpanExporter as Otlp;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

#[derive(Debug)]
pub(crate) struct Watched {
    inner: Otlp,
    health: Mutex<Health>,
}

/// How the collector does, as far as it was said.
#[derive(Debug, Default)]
struct Health {
    is_down: bool,
    /// Spans that were not taken since it was said that it fails.
    lost: usize,
}

impl Watched {
    pub(crate) fn new(inner: Otlp) -> Self {
        let health = Mutex::default();
        Self { inner, health }
    }
}

impl SpanExporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let done = self.inner.export(batch).await;
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        match &done {
            Ok(()) if health.is_down => {
                let lost = health.lost;
                tracing::info!(lost, "the collector takes traces again");
                *health = Health::default();
            }
            Ok(()) => {}
            Err(error) => {
                if !health.is_down {
                    tracing::warn!(%error, "the collector does not take traces; they are lost until it does, jobs are not touched");
                }
                health.is_down = true;
                health.lost += count;
            }
        }
        done
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
