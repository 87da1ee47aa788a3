//! One row of the report: a figure, its target, and whether it was met.

use std::collections::BTreeMap;

use serde::Serialize;

use super::samples::Samples;

/// What a figure has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Target {
    /// At least so many times the raw figure.
    AtLeastRaw(f64),
    /// At most so many times the raw figure.
    AtMostRaw(f64),
    /// Below this, in the row's unit.
    Below(f64),
}

/// Digits of a ratio that is as good as its target.
const MOST_DIGITS: usize = 4;

/// One row.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    /// Median over the rounds; none where there is nothing raw to compare with.
    pub(super) raw: Option<f64>,
    pub(super) naq: f64,
    /// Median of the ratios of the rounds.
    pub(super) ratio: Option<f64>,
    pub(super) target: f64,
    #[serde(skip)]
    bound: Target,
    /// The target in words.
    pub(super) rule: String,
    pub(super) met: bool,
    pub(super) raw_range: Option<[f64; 2]>,
    pub(super) naq_range: [f64; 2],
    pub(super) ratio_range: Option<[f64; 2]>,
    /// Further figures that the row stands on.
    pub(super) detail: BTreeMap<String, f64>,
}

impl Row {
    /// A row that compares with the raw client, or with another way of running NAQ.
    pub(super) fn compared(
        name: &'static str,
        unit: &'static str,
        raw: &Samples,
        naq: &Samples,
        target: Target,
    ) -> Self {
        let ratio = naq.over(raw);
        Self {
            raw: Some(raw.median()),
            ratio: Some(ratio.median()),
            raw_range: Some(raw.range()),
            ratio_range: Some(ratio.range()),
            ..Self::alone(name, unit, naq, target)
        }
        .judged(target)
    }

    /// A row without anything to compare with.
    pub(super) fn alone(
        name: &'static str,
        unit: &'static str,
        naq: &Samples,
        target: Target,
    ) -> Self {
        Self {
            name,
            unit,
            raw: None,
            naq: naq.median(),
            ratio: None,
            target: target.number(),
            bound: target,
            rule: target.words(unit),
            met: false,
            raw_range: None,
            naq_range: naq.range(),
            ratio_range: None,
            detail: BTreeMap::new(),
        }
        .judged(target)
    }

    /// The ratio in as many digits as show on which side of the target it is; empty if there is none.
    pub(super) fn ratio_text(&self) -> String {
        let Some(ratio) = self.ratio else {
            return String::new();
        };
        let is_met = self.bound.is_met(ratio);
        let shown = |digits: usize| format!("{ratio:.digits$}");
        let is_clear = |text: &String| {
            let value: f64 = text.parse().unwrap_or(ratio);
            (value - self.target).abs() > 1e-9 && self.bound.is_met(value) == is_met
        };
        let texts = (2..MOST_DIGITS).map(shown);
        texts
            .into_iter()
            .find(is_clear)
            .unwrap_or_else(|| shown(MOST_DIGITS))
    }

    /// The smallest and the largest ratio; empty if there is none.
    pub(super) fn range_text(&self) -> String {
        let text = |[a, b]: [f64; 2]| format!("{a:.2}..{b:.2}");
        self.ratio_range.map(text).unwrap_or_default()
    }

    /// Adds a figure.
    pub(super) fn with(mut self, name: impl Into<String>, value: f64) -> Self {
        self.detail.insert(name.into(), value);
        self
    }

    /// A second condition of the row: its words, and whether it holds.
    pub(super) fn and(mut self, rule: &str, met: bool) -> Self {
        self.rule = format!("{}, {rule}", self.rule);
        self.met &= met;
        self
    }

    /// Another way to meet the target: its words, and whether it holds.
    pub(super) fn or(mut self, rule: &str, met: bool) -> Self {
        self.rule = format!("{}, or {rule}", self.rule);
        self.met |= met;
        self
    }

    fn judged(mut self, target: Target) -> Self {
        let figure = match target {
            Target::Below(_) => Some(self.naq),
            _ => self.ratio,
        };
        self.met = figure.is_some_and(|figure| target.is_met(figure));
        self
    }
}

impl Target {
    /// Whether `figure`, a ratio or a value in the row's unit, is what it has to be.
    pub(super) fn is_met(self, figure: f64) -> bool {
        match self {
            Self::AtLeastRaw(least) => figure >= least,
            Self::AtMostRaw(most) => figure <= most,
            Self::Below(limit) => figure < limit,
        }
    }

    fn number(self) -> f64 {
        match self {
            Self::AtLeastRaw(number) | Self::AtMostRaw(number) | Self::Below(number) => number,
        }
    }

    fn words(self, unit: &str) -> String {
        match self {
            Self::AtLeastRaw(least) => format!(">= {least:.2}x"),
            Self::AtMostRaw(most) => format!("<= {most:.2}x"),
            Self::Below(limit) => format!("< {limit} {unit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_met_or_not_and_says_so_in_words() {
        let samples = |n: f64| -> Samples { [n].into_iter().collect() };
        let row = |target| Row::compared("x", "jobs/s", &samples(100.0), &samples(89.0), target);
        assert!(!row(Target::AtLeastRaw(0.9)).met);
        assert!(row(Target::AtLeastRaw(0.85)).met);
        assert!(row(Target::AtMostRaw(1.5)).met);
        assert!(!row(Target::AtMostRaw(1.5)).and("fair", false).met);
        assert_eq!(row(Target::AtLeastRaw(0.9)).rule, ">= 0.90x");
        assert!(row(Target::AtLeastRaw(0.9)).or("as raw", true).met);
        let ratio =
            |naq: f64, target| Row::compared("x", "jobs/s", &samples(1.0), &samples(naq), target);
        assert_eq!(ratio(0.8976, Target::AtLeastRaw(0.9)).ratio_text(), "0.898");
        assert_eq!(ratio(0.9021, Target::AtLeastRaw(0.9)).ratio_text(), "0.902");
        assert_eq!(ratio(0.914, Target::AtLeastRaw(0.9)).ratio_text(), "0.91");
        assert_eq!(ratio(0.9, Target::AtLeastRaw(0.9)).ratio_text(), "0.9000");
        assert_eq!(ratio(1.5004, Target::AtMostRaw(1.5)).ratio_text(), "1.5004");
        let alone = Row::alone("memory", "MB", &samples(31.0), Target::Below(30.0));
        assert!(!alone.met && alone.raw.is_none());
        assert_eq!(alone.rule, "< 30 MB");
    }
}
