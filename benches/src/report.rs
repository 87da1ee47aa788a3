//! Rows, as a table for people and as JSON for programs.

use comfy_table::{Table, presets};
use serde::Serialize;
use serde_json::json;

use crate::rounds::{Rounds, Series};

/// What a ratio has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
}

/// One measure and its target.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Of `raw` and `naq`.
    pub(crate) unit: &'static str,
    /// What it is compared with: the bare client, or the best pool.
    pub(crate) raw: f64,
    pub(crate) naq: f64,
    /// What the target is about. For a count or a time with a target of its own, that value.
    pub(crate) ratio: f64,
    pub(crate) target: Target,
    pub(crate) series: Vec<Series>,
}

#[derive(Serialize)]
struct JsonRow {
    name: &'static str,
    raw: f64,
    naq: f64,
    ratio: f64,
    target: f64,
    met: bool,
}

impl Row {
    /// A row whose target is a value of our own, not a ratio.
    pub(crate) fn absolute(
        name: &'static str,
        unit: &'static str,
        rounds: Rounds,
        most: f64,
    ) -> Self {
        let naq = rounds.median(NAQ);
        Self {
            name,
            unit,
            raw: rounds.median(RAW),
            naq,
            ratio: naq,
            target: Target::AtMost(most),
            series: rounds.into_series(),
        }
    }

    pub(crate) fn met(&self) -> bool {
        match self.target {
            Target::AtLeast(least) => self.ratio >= least,
            Target::AtMost(most) => self.ratio <= most,
        }
    }
}

/// Name of our variant in every row.
pub(crate) const NAQ: &str = "naq lease";
/// Name of the bare client's.
pub(crate) const RAW: &str = "raw client";

pub(crate) fn json(rows: &[Row]) -> String {
    let rows: Vec<JsonRow> = rows
        .iter()
        .map(|row| JsonRow {
            name: row.name,
            raw: row.raw,
            naq: row.naq,
            ratio: row.ratio,
            target: match row.target {
                Target::AtLeast(value) | Target::AtMost(value) => value,
            },
            met: row.met(),
        })
        .collect();
    json!({ "rows": rows }).to_string()
}

pub(crate) fn table(rows: &[Row]) -> String {
    let mut targets = Table::new();
    targets.load_style(presets::UTF8_HORIZONTAL_ONLY);
    targets.set_header([
        "row",
        "ratio",
        "target",
        "",
        "unit",
        "variant: median [min..max]",
    ]);
    for row in rows {
        let target = match row.target {
            Target::AtLeast(value) => format!(">= {value}"),
            Target::AtMost(value) => format!("<= {value}"),
        };
        let series = row.series.iter().map(|series| {
            format!(
                "{}: {} [{}..{}]",
                series.name,
                short(series.median()),
                short(series.least()),
                short(series.most())
            )
        });
        targets.add_row([
            row.name.to_owned(),
            short(row.ratio),
            target,
            if row.met() { "met" } else { "MISSED" }.to_owned(),
            row.unit.to_owned(),
            series.collect::<Vec<_>>().join("\n"),
        ]);
    }
    format!("{targets}\nAll on one machine, in turn: trust the ratios, not the values.")
}

fn short(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 1000.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ratio: f64, target: Target) -> Row {
        Row {
            name: "acquire",
            unit: "ns",
            raw: 300.0,
            naq: 100.0,
            ratio,
            target,
            series: Vec::new(),
        }
    }

    #[test]
    fn a_target_is_met_at_its_very_value() {
        assert!(row(2.5, Target::AtLeast(2.5)).met());
        assert!(!row(2.4, Target::AtLeast(2.5)).met());
        assert!(row(0.0, Target::AtMost(0.0)).met());
        assert!(!row(1.0, Target::AtMost(0.0)).met());
    }

    #[test]
    fn the_json_has_exactly_the_promised_keys() {
        let text = json(&[row(3.0, Target::AtLeast(2.5))]);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let expected = json!({"rows": [{
            "name": "acquire", "raw": 300.0, "naq": 100.0, "ratio": 3.0, "target": 2.5, "met": true
        }]});
        assert_eq!(value, expected);
    }

    #[test]
    fn the_table_says_what_was_missed() {
        let text = table(&[row(1.0, Target::AtLeast(2.5))]);
        assert!(text.contains("MISSED") && text.contains(">= 2.5"), "{text}");
    }
}
