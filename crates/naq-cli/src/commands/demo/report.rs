//! How the demo ends: a table for people, or one JSON object.

use std::time::Duration;

use serde::Serialize;

use super::checks::Check;
use super::files::Corpus;
use super::ledger::Ledger;
use super::{audit::Audit, crowd::Crowd, text};
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Style, Table, grouped, latency};

/// The numbers, as `--json` prints them.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    server: Server,
    jobs: Numbers,
    lost: u64,
    executed_twice: u64,
    corpus: Sums,
    throughput_per_s: f64,
    latency_ms: Latency,
    #[serde(skip)]
    top: Vec<(String, u64)>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Server {
    pub(super) version: String,
    pub(super) url: String,
}

#[derive(Debug, Serialize)]
struct Numbers {
    enqueued: u64,
    completed: u64,
    dead: u64,
    retried: u64,
}

#[derive(Debug, Serialize)]
struct Sums {
    files: u64,
    lines: u64,
    words: u64,
}

#[derive(Debug, Serialize)]
struct Latency {
    p50: f64,
    p99: f64,
}

impl Report {
    pub(super) fn new(server: Server, audit: &Audit, crowd: &Crowd, ledger: &Ledger) -> Self {
        let (files, lines, words) = audit.sums(crowd);
        let took = ledger
            .counting_took()
            .map_or(0.0, |took| took.as_secs_f64());
        #[expect(
            clippy::cast_precision_loss,
            reason = "a rate; no corpus has 2^53 files"
        )]
        let throughput = if took > 0.0 { files as f64 / took } else { 0.0 };
        Self {
            server,
            jobs: Numbers {
                enqueued: u64::try_from(crowd.len()).unwrap_or(u64::MAX),
                completed: audit.completed(),
                dead: u64::try_from(audit.dead.len()).unwrap_or(u64::MAX),
                retried: audit.retried(),
            },
            lost: audit.lost(crowd),
            executed_twice: ledger.executed_twice(),
            corpus: Sums {
                files,
                lines,
                words,
            },
            throughput_per_s: round(throughput),
            latency_ms: Latency {
                p50: round(ledger.latency(50.0).as_secs_f64() * 1000.0),
                p99: round(ledger.latency(99.0).as_secs_f64() * 1000.0),
            },
            top: text::top(&ledger.words()),
        }
    }

    /// Prints it for people.
    pub(super) fn print(
        &self,
        context: &Context,
        audit: &Audit,
        checks: &[Check],
        corpus: &Corpus,
    ) -> Result<(), CliError> {
        let out = &context.output;
        let title = |text: &str| out.line(format!("\n{}", out.styled(Style::Bold, text)));
        title("What the jobs have counted")?;
        out.table(self.corpus_table(corpus))?;
        title("What the jobs did")?;
        out.table(self.jobs_table())?;
        title("Dead letters")?;
        let mut dead = Table::new(&["KIND", "REASON", "ATTEMPT", "ERROR"]);
        for letter in &audit.dead {
            let kind = letter.kind.as_deref().unwrap_or("?");
            dead.row([
                kind,
                &letter.reason,
                &letter.attempt.to_string(),
                &letter.error,
            ]);
        }
        out.table(dead)?;
        title("Checked with what the server has recorded")?;
        let mut table = Table::headless();
        for check in checks {
            table.row([if check.holds { "ok" } else { "NO" }, &check.what]);
        }
        out.table(table)?;
        title("Try next")?;
        let mut next = Table::headless();
        NEXT.into_iter().for_each(|row| next.row(row));
        Ok(out.table(next)?)
    }

    fn corpus_table(&self, corpus: &Corpus) -> Table {
        let mut table = Table::headless();
        table.row(["files", &grouped(self.corpus.files)]);
        table.row(["lines", &grouped(self.corpus.lines)]);
        table.row(["words", &grouped(self.corpus.words)]);
        let words = self
            .top
            .iter()
            .map(|(word, n)| format!("{word} {}", grouped(*n)));
        let words: Vec<String> = words.collect();
        table.row(["most frequent", &words.join("  ")]);
        if !corpus.skipped.is_empty() {
            table.row([
                "not readable",
                &grouped(u64::try_from(corpus.skipped.len()).unwrap_or(0)),
            ]);
        }
        table
    }

    fn jobs_table(&self) -> Table {
        let mut table = Table::headless();
        table.row(["enqueued", &grouped(self.jobs.enqueued)]);
        table.row(["completed", &grouped(self.jobs.completed)]);
        table.row(["retries", &grouped(self.jobs.retried)]);
        table.row(["dead letters", &grouped(self.jobs.dead)]);
        table.row(["lost", &self.lost.to_string()]);
        table.row(["executed twice", &self.executed_twice.to_string()]);
        table.row([
            "throughput",
            &format!("{:.0} files/s", self.throughput_per_s),
        ]);
        let ms = |ms: f64| latency(Duration::from_secs_f64(ms / 1000.0));
        let text = format!(
            "p50 {}, p99 {}",
            ms(self.latency_ms.p50),
            ms(self.latency_ms.p99)
        );
        table.row([
            "enqueue to start",
            &format!("{text} (all files enqueued at once)"),
        ]);
        table
    }
}

/// Three digits after the point.
fn round(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

const NEXT: [[&str; 2]; 4] = [
    [
        "naq dev",
        "a server of your own that keeps its jobs, in this terminal",
    ],
    [
        "naq enqueue greet '\"Ada\"'",
        "a job, from another terminal",
    ],
    [
        "naq worker",
        "runs your Python or bash scripts as handlers (`naq worker --help`)",
    ],
    ["naq dead list", "what failed, and why"],
];
