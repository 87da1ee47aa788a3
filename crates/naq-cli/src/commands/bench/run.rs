//! The course of the benchmark.

use indicatif::{ProgressBar, ProgressDrawTarget};

use super::args::Args;
use super::child;
use super::report::{Report, Throughput};
use super::row::Row;
use super::stage::Stage;
use super::usage;
use crate::context::Context;
use crate::error::CliError;
use crate::logging::Level;
use crate::output::{Table, figure};
use crate::signals::Signals;

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
    let (names, plan) = (args.rows(), args.plan());
    let load_before = usage::load();
    let target = match context.output.err_is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(u64::try_from(names.len()).ok(), target);
    let mut rows = Vec::with_capacity(names.len());
    for name in names {
        bar.println(format!("measuring {}", name.as_str()));
        let row = name.measure(context, stage, plan).await?;
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
        bar.println("measuring the throughput over concurrency");
        let throughput = Throughput::measure(stage, plan).await?;
        report.write(file, &throughput)?;
    }
    bar.finish_and_clear();
    Ok(report)
}

fn verdict(row: &Row) -> String {
    let met = if row.met { "met" } else { "not met" };
    format!(
        "  {}: {} {}, {met} ({})",
        row.name,
        figure(row.naq),
        row.unit,
        row.rule
    )
}

fn table(report: &Report) -> Table {
    let mut table = Table::new(&[
        "ROW", "UNIT", "RAW", "NAQ", "RATIO", "MIN..MAX", "TARGET", "MET",
    ]);
    for row in &report.rows {
        let ratio = |ratio: f64| format!("{ratio:.2}");
        table.row([
            row.name.to_owned(),
            row.unit.to_owned(),
            row.raw.map(figure).unwrap_or_default(),
            figure(row.naq),
            row.ratio.map(ratio).unwrap_or_default(),
            row.ratio_range
                .map(|[a, b]| format!("{a:.2}..{b:.2}"))
                .unwrap_or_default(),
            row.rule.clone(),
            if row.met { "yes" } else { "NO" }.to_owned(),
        ]);
    }
    table
}
