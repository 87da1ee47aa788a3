//! What was measured, and the page that is made of it.

use std::fmt::Write;
use std::path::Path;

use clap::ValueEnum;
use serde::Serialize;

use super::args::{Plan, RowName};
use super::cost;
use super::drain::drain;
use super::row::Row;
use super::samples::Samples;
use super::stage::Stage;
use super::svg::{Chart, Series};
use crate::error::CliError;
use crate::output::figure;

/// Slots of the worker in the picture of the throughput.
const CONCURRENCY: [u32; 6] = [1, 4, 16, 64, 256, 1000];

/// What bounds all rows if there is more than one replica.
const REPLICATED: &str = "\
In a cluster, what is stored and what is acknowledged is first agreed on by most of the nodes. So all of them work for each job, \
and on one machine they share its cores: the CPU of the servers bounds each row, and one more message of NAQ weighs more than it does \
with one replica. A consumer is led by any of the nodes, on both sides.\n\n";

/// All of the report.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) rows: Vec<Row>,
    pub(super) server_version: String,
    pub(super) replicas: u8,
    pub(super) rounds: u32,
    pub(super) quick: bool,
    /// What else the machine did in the minute before.
    pub(super) load_before: Option<f64>,
}

/// Jobs per second over the slots of one worker.
#[derive(Debug)]
pub(super) struct Throughput {
    plain: Vec<f64>,
    result: Vec<f64>,
}

impl Throughput {
    pub(super) async fn measure(stage: &Stage, plan: Plan) -> Result<Self, CliError> {
        let mut found = Self {
            plain: Vec::new(),
            result: Vec::new(),
        };
        for slots in CONCURRENCY {
            let count = u64::from(slots.min(10)) * plan.size(1_000, 50);
            for (keeps_result, list) in [(false, &mut found.plain), (true, &mut found.result)] {
                let mut samples = Samples::default();
                for round in 0..plan.rounds.min(3) {
                    let queue = format!("slots-{slots}-{round}-{keeps_result}");
                    samples.push(drain(&stage.naq, &queue, count, slots, keeps_result).await?);
                    stage.tidy().await?;
                }
                list.push(samples.median());
            }
        }
        Ok(found)
    }

    fn chart(&self) -> Chart<'_> {
        Chart {
            title: "Jobs per second of one worker",
            x_label: "jobs that it runs at the same time",
            y_label: "jobs/s",
            ticks: CONCURRENCY.iter().map(ToString::to_string).collect(),
            series: vec![
                Series {
                    name: "no result kept",
                    values: self.plain.clone(),
                },
                Series {
                    name: "result kept",
                    values: self.result.clone(),
                },
            ],
        }
    }
}

impl Report {
    /// Writes the page to `file`, and the pictures beside it.
    pub(super) fn write(&self, file: &Path, throughput: &Throughput) -> Result<(), CliError> {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let picture = |name: &str| format!("{stem}-{name}.svg");
        let beside = |name: &str| file.with_file_name(picture(name));
        std::fs::write(beside("throughput"), throughput.chart().render())?;
        let latency = self
            .rows
            .iter()
            .find(|row| row.name == "latency")
            .map(latency);
        let mut page = self.page();
        let _ = writeln!(
            page,
            "\n## Pictures\n\n![Jobs per second over concurrency]({})",
            picture("throughput")
        );
        if let Some(latency) = latency {
            std::fs::write(beside("latency"), latency.render())?;
            let _ = writeln!(page, "\n![Latency percentiles]({})", picture("latency"));
        }
        Ok(std::fs::write(file, page)?)
    }

    fn page(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let mut page = format!(
            "# Performance\n\nMade by `naq bench --report`; `naq bench --help` says what each row does on both sides.\n\n\
             ## Method\n\n\
             The raw client (async-nats) and NAQ do the same at the server by turns, {} rounds, in one process, on streams \
             with the same settings. A figure is the median of the rounds; a ratio is the median of the ratios of the \
             rounds, with its range. Payload 100 bytes of JSON.\n\n\
             | what | |\n|---|---|\n| naq | {version} |\n| nats-server | {} |\n| machine | {cores} cores, {}, server and \
             client on the same |\n| storage | file, {} |\n| fsync | the server's default: every two minutes. Safe against \
             the death of the process, not against the loss of power with one replica |\n",
            self.rounds,
            self.server_version,
            std::env::consts::ARCH,
            match self.replicas {
                1 => "one replica".to_owned(),
                replicas => format!("{replicas} replicas, on as many nodes"),
            },
        );
        if let Some(load) = self.load_before {
            let _ = writeln!(page, "| load before the run | {load:.1} |");
        }
        if self.quick {
            page.push_str("\n**A quick run: a smoke test, not a measurement.**\n");
        }
        page.push_str("\n## Figures\n\n| row | unit | raw | NAQ | ratio | range | target | met |\n|---|---|---|---|---|---|---|---|\n");
        for row in &self.rows {
            let (ratio, range) = (row.ratio_text(), row.range_text());
            let raw = row.raw.map(figure).unwrap_or_default();
            let met = if row.met { "yes" } else { "**no**" };
            let _ = writeln!(
                page,
                "| `{}` | {} | {raw} | {} | {ratio} | {range} | {} | {met} |",
                row.name,
                row.unit,
                figure(row.naq),
                row.rule
            );
        }
        page.push_str(&cost::page(&self.rows));
        self.bounds(&mut page);
        page
    }

    fn bounds(&self, page: &mut String) {
        let is_there = |name: &RowName| self.rows.iter().any(|row| row.name == name.as_str());
        let all = RowName::value_variants().iter();
        let missing: Vec<_> = all
            .filter(|name| !is_there(name))
            .map(|name| name.as_str())
            .collect();
        if !missing.is_empty() {
            let _ = writeln!(page, "\nLeft out of this run: {}.", missing.join(", "));
        }
        page.push_str("\n## What bounds each row\n\nBy the messages of each side; the drain was profiled.\n\n");
        if self.replicas > 1 {
            page.push_str(REPLICATED);
        }
        for row in &self.rows {
            let _ = writeln!(page, "* `{}`: {}", row.name, bound(row.name));
            let besides = row.detail.iter().filter(|(name, _)| !cost::is_cost(name));
            let figures: Vec<_> = besides
                .map(|(name, value)| format!("{name} {}", figure(*value)))
                .collect();
            if !figures.is_empty() {
                let _ = writeln!(page, "  Measured besides: {}.", figures.join(", "));
            }
        }
    }
}

fn latency(row: &Row) -> Chart<'_> {
    let names = ["50", "90", "95", "99", "99.9"];
    let values = |side: &str| {
        let value = |p: &&str| {
            row.detail
                .get(&format!("{side}_p{p}"))
                .copied()
                .unwrap_or(0.0)
        };
        names.iter().map(value).collect()
    };
    Chart {
        title: "Latency from enqueue to handler at 500 jobs/s",
        x_label: "percentile",
        y_label: "microseconds",
        ticks: names.iter().map(|p| format!("p{p}")).collect(),
        series: vec![
            Series {
                name: "raw client",
                values: values("raw"),
            },
            Series {
                name: "NAQ",
                values: values("naq"),
            },
        ],
    }
}

/// What the row cannot be faster than.
fn bound(row: &str) -> &'static str {
    match row {
        "enqueue_one" => {
            "the round trip to the server: two wake-ups of each side. NAQ adds the envelope and the id."
        }
        "enqueue_bulk" => {
            "the server, which stores one message after the other; then making envelope, id and headers."
        }
        "drain_plain" => {
            "CPU of both sides. Per job one delivery and one `+ACK`, confirmed in batches; NAQ adds the \
                          decoding, a task, a lease and its bookkeeping, and two events for each job."
        }
        "drain_result" => {
            "CPU of the server: per job a delivery, a publish under the fence with its acknowledgement, \
                           and a `+ACK`; NAQ confirms those in batches, the raw loop one by one."
        }
        "latency" => {
            "wake-ups: publisher, server, puller, the task of the job. NAQ has one more than the raw loop."
        }
        "idle" => {
            "the renewal of one pull request per queue each ten seconds, of two more for schedules and workflows, heartbeats of the \
             server each second."
        }
        "memory" => "the program itself and its runtime; jobs in hand are bounded by the slots.",
        "scale" => {
            "CPU of the server: each queue has a consumer, whose state is a file that is written up to ten times a second \
             while it is in use; the next job of a queue is searched among those of the others; and all consumers of the \
             stream are asked at each acknowledgement. So a job costs more the more queues are busy. A prefix of their own \
             gives some queues a stream of their own. `raw_` is the raw client's loop over the same, `growth_` compares \
             with the first case."
        }
        "events" => {
            "two events per job, gathered into messages of 100: making them, and the server storing their bytes."
        }
        _ => "the server: four processes share its CPU with the one that they are compared with.",
    }
}
