//! What a job costs on each side: CPU of this process and of the servers, messages and bytes at the server.
//!
//! Unlike rates they hardly depend on what else the machine does.

use std::fmt::Write;
use std::time::Duration;

use super::row::Row;
use super::samples::Samples;
use super::stage::Stage;
use super::usage;
use crate::error::CliError;

/// Prefixes of the figures, and the figures.
const SIDES: [&str; 2] = ["raw", "naq"];
const FIGURES: [&str; 4] = ["client_us", "server_us", "messages", "bytes"];

/// How far the counters are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    client: Duration,
    server: Duration,
    /// Messages and bytes in both directions; none of a server that is not ours.
    traffic: Option<[f64; 2]>,
}

impl Reading {
    pub(super) async fn take(stage: &Stage) -> Result<Self, CliError> {
        Ok(Self {
            client: usage::cpu(std::process::id())?,
            server: usage::cpu_of(&stage.server_pids())?,
            traffic: traffic(stage).await,
        })
    }
}

/// Messages and bytes that the server has read and written.
async fn traffic(stage: &Stage) -> Option<[f64; 2]> {
    let all = stage.monitor("/varz").await?;
    let of = |name: &str| all[name].as_f64().unwrap_or(0.0);
    Some([
        of("in_msgs") + of("out_msgs"),
        of("in_bytes") + of("out_bytes"),
    ])
}

/// Costs per job of one side, round by round.
#[derive(Debug, Default)]
struct Side {
    client_us: Samples,
    server_us: Samples,
    messages: Samples,
    bytes: Samples,
}

impl Side {
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    fn add(&mut self, from: Reading, to: Reading, count: u64) {
        let count = count.max(1) as f64;
        let us = |from: Duration, to: Duration| to.saturating_sub(from).as_secs_f64() * 1e6 / count;
        self.client_us.push(us(from.client, to.client));
        self.server_us.push(us(from.server, to.server));
        if let (Some(from), Some(to)) = (from.traffic, to.traffic) {
            self.messages.push((to[0] - from[0]) / count);
            self.bytes.push((to[1] - from[1]) / count);
        }
    }
}

/// Costs per job of both sides.
#[derive(Debug, Default)]
pub(super) struct Costs {
    raw: Side,
    naq: Side,
}

impl Costs {
    /// The raw client has done `count` jobs since `from`.
    pub(super) async fn raw(
        &mut self,
        stage: &Stage,
        from: Reading,
        count: u64,
    ) -> Result<(), CliError> {
        self.raw.add(from, Reading::take(stage).await?, count);
        Ok(())
    }

    /// NAQ has.
    pub(super) async fn naq(
        &mut self,
        stage: &Stage,
        from: Reading,
        count: u64,
    ) -> Result<(), CliError> {
        self.naq.add(from, Reading::take(stage).await?, count);
        Ok(())
    }

    /// Adds the medians to `row`.
    pub(super) fn show(&self, row: Row, stage: &Stage) -> Row {
        let mut row = row;
        for (name, side) in SIDES.into_iter().zip([&self.raw, &self.naq]) {
            let figures = [
                (true, &side.client_us),
                (stage.is_ours(), &side.server_us),
                (!side.messages.is_empty(), &side.messages),
                (!side.bytes.is_empty(), &side.bytes),
            ];
            for (what, (is_known, samples)) in FIGURES.into_iter().zip(figures) {
                if is_known {
                    row = row.with(format!("{name}_{what}"), samples.median());
                }
            }
        }
        row
    }
}

/// Whether a figure of a row is one of these.
pub(super) fn is_cost(name: &str) -> bool {
    let figure = SIDES.iter().find_map(|side| name.strip_prefix(side));
    figure.is_some_and(|figure| FIGURES.contains(&figure.trim_start_matches('_')))
}

/// What a job costs in all rows that know it, as a table of a page; empty if none does.
pub(super) fn page(rows: &[Row]) -> String {
    let mut lines = String::new();
    for row in rows {
        let cell = |side: &str, what: &str| {
            let value = row.detail.get(&format!("{side}_{what}"));
            value.map(|value| format!("{value:.2}")).unwrap_or_default()
        };
        if !row.detail.keys().any(|name| is_cost(name)) {
            continue;
        }
        let _ = write!(lines, "| `{}` |", row.name);
        for what in FIGURES {
            for side in SIDES {
                let _ = write!(lines, " {} |", cell(side, what));
            }
        }
        lines.push('\n');
    }
    if lines.is_empty() {
        return lines;
    }
    format!(
        "\n## Cost of a job\n\n\
         CPU time in microseconds of this process and of the servers, messages and bytes that the server has read and written, \
         per job. They depend little on what else the machine does. In the row `events`, raw is NAQ without events.\n\n\
         | row | client: raw | NAQ | server: raw | NAQ | messages: raw | NAQ | bytes: raw | NAQ |\n\
         |---|---|---|---|---|---|---|---|---|\n{lines}"
    )
}
