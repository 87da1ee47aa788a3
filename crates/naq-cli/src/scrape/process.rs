//! The numbers of this process: its jobs and its connections.

use std::net::SocketAddr;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use naq::Jobs;
use tokio::task::JoinSet;

use super::Listener;
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;

/// Upper ends of the buckets of times, in seconds: from a fast handler to a report of an hour.
const BUCKETS: [f64; 14] = [
    0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0, 900.0, 3600.0,
];

/// Records and serves the numbers of this process on `address`, if there is one, until the set is dropped.
pub(crate) async fn serve_process(
    context: &Context,
    address: Option<SocketAddr>,
    jobs: &Jobs,
) -> Result<JoinSet<()>, CliError> {
    let mut serving = JoinSet::new();
    let Some(address) = address else {
        return Ok(serving);
    };
    let handle = record().map_err(|error| {
        CliError::new(exit_code::INTERNAL, "failed to record metrics").because(&error)
    })?;
    let listener = Listener::bind(address).await?;
    context
        .output
        .note(format!("metrics: http://{}/metrics", listener.address));
    let connections = jobs.connections().clone();
    let page = move || {
        // What the connections know is handed over when somebody asks.
        connections.monitor().publish();
        handle.run_upkeep();
        let text = handle.render();
        async move { text }
    };
    serving.spawn(listener.serve(page));
    Ok(serving)
}

/// Begins to record.
fn record() -> Result<PrometheusHandle, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for name in ["naq_job_duration_seconds", "naq_job_wait_seconds"] {
        builder = builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), &BUCKETS)?;
    }
    builder.install_recorder()
}
