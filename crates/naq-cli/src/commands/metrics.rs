//! `naq metrics`: the numbers of the whole system, for Prometheus.

use std::net::SocketAddr;

use crate::context::Context;
use crate::error::CliError;
use crate::logging::{self, Level};
use crate::scrape::{Listener, cluster_page};
use crate::signals::Signals;

/// Serve the numbers of all queues and workers for Prometheus, or print them once
///
/// One such process is enough for a system. The numbers of jobs by kind and their times are those of the workers: see
/// `naq worker --metrics`. A dashboard and alert rules are in docs/grafana.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  naq metrics --listen 127.0.0.1:9091      then: curl http://127.0.0.1:9091/metrics
  naq metrics                              printed once")]
pub(crate) struct Args {
    /// Serve them on http://ADDRESS/metrics until Ctrl-C; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    context.start_logging(Level::Warn, logging::ERRORS_ARE_SHOWN);
    let signals = Signals::listen()?;
    let listener = match args.listen {
        Some(address) => Some(Listener::bind(address).await?),
        None => None,
    };
    let jobs = signals.unless_stopped(context.jobs()).await??;
    match listener {
        None => {
            let page = Box::pin(cluster_page(jobs.clone())).await;
            context.output.line(page.trim_end())?;
        }
        Some(listener) => {
            let note = format!("metrics: http://{}/metrics", listener.address);
            context.output.note(note);
            let asked = jobs.clone();
            let page = move || cluster_page(asked.clone());
            tokio::select! {
                () = signals.token().cancelled() => {}
                () = listener.serve(page) => {}
            }
        }
    }
    jobs.shutdown().await;
    Ok(())
}
