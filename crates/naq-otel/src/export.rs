//! A pipeline by the standard variables: provider, batches, OTLP over HTTP.

use std::time::Duration;

use opentelemetry::global;
use opentelemetry_otlp::{
    HttpExporterBuilderSet, Protocol, SpanExporter, SpanExporterBuilder, WithExportConfig,
    WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;

use crate::client::Client;
use crate::environment::{ExportError, Plan, plan};
use crate::install;
use crate::watched::Watched;

type Builder = SpanExporterBuilder<HttpExporterBuilderSet>;

/// Sends the spans of this process to a collector. Call [`Self::shutdown`] at the end: what is gathered then is sent
/// only by it.
#[derive(Debug)]
pub struct Export {
    provider: SdkTracerProvider,
}

impl Export {
    /// Begins to export as the standard variables of OpenTelemetry say, and makes spans of jobs ([`install`]). `None`, and
    /// nothing is done, unless `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` names a collector.
    ///
    /// Also honoured: `OTEL_SDK_DISABLED`, `OTEL_TRACES_EXPORTER` (`otlp`, `none`), `OTEL_SERVICE_NAME` (default: `service`),
    /// `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER` and `_ARG`, `OTEL_BSP_*` and `OTEL_SPAN_*`, and of
    /// `OTEL_EXPORTER_OTLP_*` the headers, the timeout and `COMPRESSION` (`gzip`). The protocol is `http/protobuf`.
    ///
    /// It has a thread of its own and at most `OTEL_BSP_MAX_QUEUE_SIZE` spans that wait; more are dropped. A collector
    /// that does not answer is one warning.
    ///
    /// # Errors
    /// [`ExportError`] if the variables ask for something that cannot be done; then nothing is exported. A retry does not
    /// help.
    pub fn from_environment(service: &str) -> Result<Option<Self>, ExportError> {
        match plan(|name| std::env::var(name).ok())? {
            Some(plan) => Self::start(service, SpanExporter::builder().with_http(), plan).map(Some),
            None => Ok(None),
        }
    }

    /// As [`Self::from_environment`], to the collector at `endpoint` (`http://127.0.0.1:4318`), whatever the variables say of
    /// that.
    ///
    /// # Errors
    /// As [`Self::from_environment`].
    pub fn to(endpoint: &str, service: &str) -> Result<Self, ExportError> {
        let get = |name: &str| match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.to_owned()),
            "OTEL_SDK_DISABLED" | "OTEL_TRACES_EXPORTER" => None,
            name => std::env::var(name).ok(),
        };
        let plan = plan(get)?.unwrap_or_default();
        let traces = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
        let builder = SpanExporter::builder().with_http().with_endpoint(traces);
        Self::start(service, builder, plan)
    }

    fn start(service: &str, builder: Builder, plan: Plan) -> Result<Self, ExportError> {
        let exporter = builder
            .with_http_client(Client::new(plan.timeout))
            .with_protocol(Protocol::HttpBinary)
            .build()
            .map_err(|error| ExportError::Exporter(error.to_string()))?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(Watched::new(exporter))
            .with_resource(resource(service))
            .build();
        global::set_tracer_provider(provider.clone());
        install();
        Ok(Self { provider })
    }

    /// Sends what is gathered and ends, within this time; what is not taken by then is lost. Blocks the thread.
    pub fn shutdown(self, within: Duration) {
        if let Err(error) = self.provider.shutdown_with_timeout(within) {
            tracing::debug!(%error, "the last traces were not sent");
        }
    }
}

fn resource(service: &str) -> Resource {
    let found = Resource::builder().build();
    let is_named = found
        .get(&"service.name".into())
        .is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    match is_named {
        true => found,
        false => Resource::builder()
            .with_service_name(service.to_owned())
            .build(),
    }
}
