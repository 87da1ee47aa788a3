//! `naq connection measure`: what a round trip costs, and what the dial before it.

use std::time::Duration;

use clap::value_parser;
use naq::connection::{Performance, measure_connection_performance};
use serde_json::{Value, json};

use super::target::Target;
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::output::{Table, latency};
use crate::signals::Signals;

/// Measure round trips, one after the other on one connection; the dial is apart from them
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many round trips
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u32).range(1..=1_000_000))]
    iterations: u32,

    /// Print JSON, times in seconds: `{"iterations": ..., "success_rate": ..., "average_time": ...,
    /// "min_time": ..., "max_time": ..., "p50_time": ..., "p99_time": ..., "dial_time": ...}`
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<(), CliError> {
    let signals = Signals::listen()?;
    let target = Target::new(context, None).await?;
    let work = measure_connection_performance(&target.service, args.iterations);
    let measured = signals.unless_stopped(Box::pin(work)).await?;
    let out = &context.output;
    if args.json {
        out.json(&described(args.iterations, &measured))?;
    } else {
        out.table(table(&measured))?;
    }
    if measured.success_rate > 0.0 {
        target.end().await;
        return Ok(());
    }
    let message = format!(
        "none of {} round trips to {} succeeded",
        args.iterations,
        target.shown()
    );
    let failed = CliError::new(exit_code::CONNECTION, message);
    Err(failed.hint("`naq connection doctor` finds out why"))
}

/// The names and forms of the columns are those of the documentation; the last one is exact.
fn table(measured: &Performance) -> Table {
    let mut table = Table::new(&["MEASURED", "SECONDS", ""]);
    let mut time = |name: &str, time: Duration| {
        table.row([
            name.to_owned(),
            format!("{:.3}s", time.as_secs_f64()),
            latency(time),
        ]);
    };
    time("average_time", measured.mean);
    time("min_time", measured.min);
    time("max_time", measured.max);
    time("p50_time", measured.p50);
    time("p99_time", measured.p99);
    if let Some(dial) = measured.dial {
        time("dial_time", dial);
    }
    let rate = format!("{:.1}%", measured.success_rate * 100.0);
    table.row(["success_rate".to_owned(), rate]);
    table
}

fn described(iterations: u32, measured: &Performance) -> Value {
    json!({
        "iterations": iterations,
        "success_rate": measured.success_rate,
        "average_time": measured.mean.as_secs_f64(),
        "min_time": measured.min.as_secs_f64(),
        "max_time": measured.max.as_secs_f64(),
        "p50_time": measured.p50.as_secs_f64(),
        "p99_time": measured.p99.as_secs_f64(),
        "dial_time": measured.dial.map(|dial| dial.as_secs_f64()),
    })
}
