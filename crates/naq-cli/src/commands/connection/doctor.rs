//! `naq connection doctor`: step by step, with what to do.

use std::time::Duration;

use naq::MINIMUM_SERVER;
use naq::connection::doctor::{Expectations, Finding, Verdict, examine};
use serde_json::{Value, json};

use crate::context::Context;
use crate::duration::parse_positive;
use crate::error::CliError;
use crate::exit_code;
use crate::output::Style;
use crate::signals::Signals;

/// Walk from the host name to JetStream and say what is wrong and what to do
///
/// The exit code is 0 without an error (warnings may be there), 4 with one, and 3 if the
/// configuration is wrong.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Time that one step may take
    #[arg(long, value_name = "TIME", value_parser = parse_positive, default_value = "5s")]
    timeout: Duration,

    /// The monitoring URL of the server (http://host:8222), for what a client cannot see
    #[arg(long, value_name = "URL")]
    monitor: Option<String>,

    /// Print JSON: `{"healthy": ..., "findings": [{"check": ..., "verdict": "ok" | "warning" | "error" | "skipped",
    /// "found": ..., "remedy": ...}]}`
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<(), CliError> {
    let signals = Signals::listen()?;
    let settings = context.settings()?;
    let expectations = Expectations {
        minimum_version: Some(MINIMUM_SERVER),
        replicas: settings.queues.replicas.max(settings.results.replicas),
        step_limit: args.timeout,
        monitor: args.monitor.clone(),
    };
    let out = &context.output;
    let mut written = Ok(());
    let told = |finding: &Finding| {
        if !args.json && written.is_ok() {
            written = out.line(line(context, finding));
        }
    };
    // Boxed: it holds a dial.
    let work = Box::pin(examine(&settings.nats, &expectations, told));
    let findings = signals.unless_stopped(work).await?;
    written?;
    let count = |verdict: Verdict| findings.iter().filter(|f| f.verdict == verdict).count();
    let (errors, warnings) = (count(Verdict::Error), count(Verdict::Warning));
    if args.json {
        let rows: Vec<Value> = findings.iter().map(row).collect();
        out.json(&json!({ "healthy": errors == 0, "findings": rows }))?;
    } else {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        out.note(format!(
            "{errors} error{}, {warnings} warning{}",
            plural(errors),
            plural(warnings)
        ));
    }
    match errors {
        0 => Ok(()),
        _ => Err(CliError::silent(exit_code::CONNECTION)),
    }
}

fn line(context: &Context, finding: &Finding) -> String {
    let style = match finding.verdict {
        Verdict::Ok => Style::Good,
        Verdict::Warning => Style::Notable,
        Verdict::Error => Style::Bad,
        _ => Style::Faint,
    };
    let verdict = context
        .output
        .styled(style, &format!("{:<8}", finding.verdict.to_string()));
    let line = format!(
        "{verdict} {:<15} {}",
        finding.check.to_string(),
        finding.found
    );
    match &finding.remedy {
        Some(remedy) => format!("{line}\n{:<24} what to do: {remedy}", ""),
        None => line,
    }
}

fn row(finding: &Finding) -> Value {
    json!({
        "check": finding.check.to_string(),
        "verdict": finding.verdict.to_string(),
        "found": finding.found,
        "remedy": finding.remedy,
    })
}
