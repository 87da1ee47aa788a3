//! Some measurements of one thing: their median and their range.

/// Measurements of one thing, in the order of the rounds.
#[derive(Debug, Clone, Default)]
pub(super) struct Samples(Vec<f64>);

impl Samples {
    pub(super) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The middle one; zero if there are none.
    pub(super) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        match sorted.len() {
            0 => 0.0,
            n if n % 2 == 1 => sorted[n / 2],
            n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
        }
    }

    /// The smallest and the largest; zeros if there are none.
    pub(super) fn range(&self) -> [f64; 2] {
        let all = || self.0.iter().copied();
        match self.0.is_empty() {
            true => [0.0, 0.0],
            false => [
                all().fold(f64::INFINITY, f64::min),
                all().fold(f64::NEG_INFINITY, f64::max),
            ],
        }
    }

    /// `self` divided by `other`, round by round.
    pub(super) fn over(&self, other: &Self) -> Self {
        self.0.iter().zip(&other.0).map(|(a, b)| a / b).collect()
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<T: IntoIterator<Item = f64>>(values: T) -> Self {
        Self(values.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_ratios_are_taken_round_by_round() {
        let a: Samples = [9.0, 1.0, 4.0].into_iter().collect();
        let b: Samples = [3.0, 1.0, 8.0].into_iter().collect();
        assert!((a.median() - 4.0).abs() < 1e-9);
        assert_eq!(a.range().map(f64::round), [1.0, 9.0]);
        assert!((a.over(&b).median() - 1.0).abs() < 1e-9);
        assert!(Samples::default().median().abs() < 1e-9);
    }
}
