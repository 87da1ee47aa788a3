//! The course of the benchmark.

use std::time::Duration;

use indicatif::ProgressBar;

use super::args::Args;
use super::child;
use super::leaders;
use super::report::{Report, Throughput};
use super::row::Row;
use super::stage::Stage;
use super::usage;
use crate::context::Context;
use crate::error::CliError;
use crate::logging::Level;
use crate::output::{Table, figure};
use crate::signals::Signals;

/// How often the progress is shown anew.
const TICK: Duration = Duration::from_millis(500);

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    context.start_logging(Level::Error, "");
    if let Some(plan) = &args.child {
        return child::run(context, args.server.as_deref(), plan).await;
    }
    let signals = Signals::listen()?;
    let stage = signals
        .unless_stopped(Box::pin(Stage::set(context, &args)))
        .await??;
    let measured = signals
        .unless_stopped(Box::pin(measure(context, &args, &stage)))
        .await;
    let struck = Box::pin(stage.strike()).await;
    let report = measured??;
    struck?;
    match args.json {
        true => context.output.json(&report)?,
        false => context.output.table(table(&report))?,
    }
    Ok(())
}

async fn measure(context: &Context, args: &Args, stage: &Stage) -> Result<Report, CliError> {
    leaders::gather(stage).await?;
    let (names, plan) = (args.rows(), args.plan());
    let load_before = usage::load();
    let bar = progress(context, names.len());
    let mut rows = Vec::with_capacity(names.len());
    for name in names {
        bar.set_message(name.as_str());
        let row = name.measure(context, stage, plan, &bar).await?;
        bar.println(verdict(&row));
        bar.inc(1);
        rows.push(row);
    }
    let report = Report {
        rows,
        server_version: stage.server_version().await?,
        replicas: stage.replicas(),
        rounds: plan.rounds,
        quick: plan.is_quick,
        load_before,
    };
    if let Some(file) = &args.report {
        bar.set_message("the throughput over concurrency");
        let throughput = Throughput::measure(stage, plan).await?;
        report.write(file, &throughput)?;
    }
    bar.finish_and_clear();
    Ok(report)
}

/// What is measured now and for how long, for a person who waits.
fn progress(context: &Context, rows: usize) -> ProgressBar {
    let rows = u64::try_from(rows).unwrap_or(u64::MAX);
    let template = "{pos}/{len} rows, {elapsed}: {msg}";
    let bar = context.output.progress(Some(rows), template);
    if !bar.is_hidden() {
        bar.enable_steady_tick(TICK);
    }
    bar
}

fn verdict(row: &Row) -> String {
    let met = if row.met { "met" } else { "not met" };
    let ratio = row.ratio.map(|_| format!(", {}x", row.ratio_text()));
    format!(
        "  {}: {} {}{}, {met} ({})",
        row.name,
        figure(row.naq),
        row.unit,
        ratio.unwrap_or_default(),
        row.rule
    )
}

fn table(report: &Report) -> Table {
    let mut table = Table::new(&[
        "ROW", "UNIT", "RAW", "NAQ", "RATIO", "MIN..MAX", "TARGET", "MET",
    ]);
    for row in &report.rows {
        table.row([
            row.name.to_owned(),
            row.unit.to_owned(),
            row.raw.map(figure).unwrap_or_default(),
            figure(row.naq),
            row.ratio_text(),
            row.range_text(),
            row.rule.clone(),
            if row.met { "yes" } else { "NO" }.to_owned(),
        ]);
    }
    table
}
