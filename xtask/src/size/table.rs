//! The short table of `cargo xtask size`.

/// Prints count, median, ninth decile and largest of each row.
pub(crate) fn print(rows: &[(&str, Vec<usize>)]) {
    println!(
        "{:22}{:>8}{:>8}{:>8}{:>8}",
        "", "count", "median", "p90", "max"
    );
    for (name, values) in rows {
        let mut sorted = values.clone();
        sorted.sort_unstable();
        let [median, p90, max] = [50, 90, 100].map(|percent| percentile(&sorted, percent));
        println!("{name:22}{:>8}{median:>8}{p90:>8}{max:>8}", sorted.len());
    }
}

/// The smallest value that at least `percent` of the values do not exceed.
fn percentile(sorted: &[usize], percent: usize) -> usize {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_of_the_list() {
        let values: Vec<usize> = (1..=10).collect();
        assert_eq!(
            [50, 90, 100].map(|percent| percentile(&values, percent)),
            [5, 9, 10]
        );
        assert_eq!(percentile(&[], 50), 0);
    }
}
