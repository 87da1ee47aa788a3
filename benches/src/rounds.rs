//! Samples of several variants, taken in turn: what disturbs the machine disturbs all of them.

use crate::stats::{least, median, most};

/// What one variant measured, one value a round.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) name: String,
    values: Vec<f64>,
}

impl Series {
    pub(crate) fn median(&self) -> f64 {
        median(&self.values)
    }

    pub(crate) fn least(&self) -> f64 {
        least(&self.values)
    }

    pub(crate) fn most(&self) -> f64 {
        most(&self.values)
    }
}

/// The variants of a row, in the order in which they first ran.
#[derive(Debug, Default)]
pub(crate) struct Rounds(Vec<Series>);

impl Rounds {
    pub(crate) fn record(&mut self, name: &str, value: f64) {
        match self.0.iter_mut().find(|series| series.name == name) {
            Some(series) => series.values.push(value),
            None => self.0.push(Series {
                name: name.to_owned(),
                values: vec![value],
            }),
        }
    }

    /// 0 for one that never ran.
    pub(crate) fn median(&self, name: &str) -> f64 {
        let series = self.0.iter().find(|series| series.name == name);
        series.map_or(0.0, Series::median)
    }

    /// 0 for one that never ran.
    pub(crate) fn most(&self, name: &str) -> f64 {
        let series = self.0.iter().find(|series| series.name == name);
        series.map_or(0.0, Series::most)
    }

    /// The median of the quotients of the same round: a round that was slow for both counts as
    /// any other.
    pub(crate) fn ratio(&self, over: &str, under: &str) -> f64 {
        let values = |name: &str| {
            let series = self.0.iter().find(|series| series.name == name);
            series.map_or(&[][..], |series| &series.values)
        };
        let pairs = values(over).iter().zip(values(under));
        median(&pairs.map(|(over, under)| over / under).collect::<Vec<_>>())
    }

    /// The variant other than `us` with the least median.
    pub(crate) fn least_other(&self, us: &str) -> Option<&Series> {
        let others = self.0.iter().filter(|series| series.name != us);
        others.min_by(|a, b| a.median().total_cmp(&b.median()))
    }

    pub(crate) fn into_series(self) -> Vec<Series> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_within_a_round() {
        let mut rounds = Rounds::default();
        for (us, them) in [(10.0, 20.0), (1.0, 2.0), (50.0, 100.0)] {
            rounds.record("us", us);
            rounds.record("them", them);
        }
        assert_eq!(rounds.ratio("us", "them"), 0.5);
        assert_eq!(rounds.median("them"), 20.0);
        assert_eq!(rounds.least_other("us").unwrap().name, "them");
        assert_eq!(rounds.ratio("us", "nobody"), 0.0);
    }
}
