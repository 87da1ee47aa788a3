//! `naq connection test`: one round trip.

use std::time::Duration;

use naq::connection::{DEFAULT_PROFILE, probe_within};
use serde_json::json;
use tokio::time::Instant;

use super::target::{Target, millis, server_of};
use crate::context::Context;
use crate::duration::parse_positive;
use crate::error::CliError;
use crate::output::latency;
use crate::signals::Signals;

/// Connect and ask once; the exit code is 0 if the server has answered and 4 if not
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Time for all of it
    #[arg(long, value_name = "TIME", value_parser = parse_positive, default_value = "5s")]
    timeout: Duration,

    /// Print JSON: `{"connected": ..., "server": {"name": ..., "version": ...}, "rtt_ms": ..., "dial_ms": ..., "error": ...}`
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context, args: &Args) -> Result<(), CliError> {
    let signals = Signals::listen()?;
    let target = Target::new(context, Some(args.timeout)).await?;
    let started = Instant::now();
    let work = probe_within(&target.service, DEFAULT_PROFILE, args.timeout);
    let health = signals.unless_stopped(work).await?;
    let took = started.elapsed();
    let out = &context.output;
    let (Some(rtt), Ok(connection)) = (health.rtt, target.service.connection().await) else {
        let Some(error) = health.last_error else {
            return Err(CliError::new(
                crate::exit_code::CONNECTION,
                "the connection was lost again",
            ));
        };
        let failed = target.unreachable(&error);
        if args.json {
            out.json(&json!({ "connected": false, "error": error.to_string() }))?;
            return Err(CliError::silent(failed.code));
        }
        return Err(failed);
    };
    let dial = took.saturating_sub(rtt);
    if args.json {
        out.json(&json!({
            "connected": true, "server": server_of(&connection),
            "rtt_ms": millis(rtt), "dial_ms": millis(dial), "error": null,
        }))?;
    } else {
        let info = connection.server_info();
        out.line(format!(
            "connected to `{}` (nats-server {}) at {}: round trip {}, dial {}",
            info.server_name,
            info.version,
            target.shown(),
            latency(rtt),
            latency(dial)
        ))?;
    }
    drop(connection);
    target.end().await;
    Ok(())
}
