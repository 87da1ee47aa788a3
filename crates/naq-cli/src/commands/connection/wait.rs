//! `naq connection wait`: until the server is there.

use std::time::Duration;

use naq::connection::wait_for_nats_connection;
use serde_json::json;
use tokio::time::Instant;

use super::target::{Target, millis};
use crate::context::Context;
use crate::duration::parse_positive;
use crate::error::CliError;
use crate::output::latency;
use crate::signals::Signals;

/// Wait until a server answers; the exit code is 0 then, and 4 if it has not in time
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How long to wait at the most
    #[arg(long, value_name = "TIME", value_parser = parse_positive, default_value = "30s")]
    timeout: Duration,

    /// Print JSON: `{"connected": ..., "waited_ms": ..., "error": ...}`
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<(), CliError> {
    let signals = Signals::listen()?;
    let target = Target::new(context, None).await?;
    let out = &context.output;
    // The first line is empty: Ctrl-C makes the terminal write `^C` there and go on.
    let spinner = out.progress(None, "\n{spinner} {wide_msg}");
    spinner.set_message(format!("waiting for {}", target.shown()));
    spinner.enable_steady_tick(Duration::from_millis(120));
    let started = Instant::now();
    let work = wait_for_nats_connection(&target.service, args.timeout);
    // Boxed: it holds a dial.
    let waited = signals.unless_stopped(Box::pin(work)).await;
    spinner.finish_and_clear();
    let took = started.elapsed();
    match waited? {
        Ok(()) if args.json => {
            out.json(&json!({ "connected": true, "waited_ms": millis(took), "error": null }))?;
        }
        Ok(()) => out.line(format!(
            "{} answers after {}",
            target.shown(),
            latency(took)
        ))?,
        Err(error) => {
            let failed = target.unreachable(&error);
            if args.json {
                let told = error.to_string();
                out.json(&json!({ "connected": false, "waited_ms": millis(took), "error": told }))?;
                return Err(CliError::silent(failed.code));
            }
            return Err(failed);
        }
    }
    target.end().await;
    Ok(())
}
