//! What is printed.

use std::collections::BTreeMap;

use super::Show;
use super::lines::Lines;

/// Prints a row a file, the worst first, and gives the share of the package.
pub(super) fn print(package: &str, lines: &Lines, show: Show) -> f64 {
    let mut rows: Vec<_> = lines
        .0
        .iter()
        .map(|(path, lines)| (share(lines), path, lines))
        .collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    println!("\n{package}\n{:>7} {:>9}  file", "ran", "lines");
    for (share, path, lines) in &rows {
        let ran = lines.values().filter(|ran| **ran).count();
        let (all, percent) = (lines.len(), share * 100.0);
        println!("{percent:>6.1}% {ran:>4}/{all:<4}  {}", path.display());
        if show == Show::Lines && ran < all {
            println!("{:19}not: {}", "", ranges(lines));
        }
    }
    let whole: BTreeMap<_, _> = rows
        .iter()
        .flat_map(|(_, path, lines)| lines.iter().map(move |(line, ran)| ((path, line), *ran)))
        .collect();
    let share = share(&whole);
    println!("{:>6.1}% of {} lines", share * 100.0, whole.len());
    share
}

/// 1 of nothing.
#[expect(clippy::cast_precision_loss, reason = "a share of some thousand lines")]
fn share<K>(lines: &BTreeMap<K, bool>) -> f64 {
    let ran = lines.values().filter(|ran| **ran).count();
    ran as f64 / lines.len().max(1) as f64 + f64::from(u8::from(lines.is_empty()))
}

/// The lines that did not run, as `3, 7-9`. A gap of lines that can't run does not end a range.
fn ranges(lines: &BTreeMap<usize, bool>) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    let mut going_on = false;
    for (line, ran) in lines {
        match ranges.last_mut() {
            _ if *ran => {}
            Some((_, last)) if going_on => *last = *line,
            _ => ranges.push((*line, *line)),
        }
        going_on = !ran;
    }
    let texts = ranges.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    texts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_did_not_run_are_told_as_ranges() {
        let lines = [(1, true), (2, false), (4, false), (5, true), (9, false)];
        let lines = BTreeMap::from(lines);
        assert_eq!(ranges(&lines), "2-4, 9");
        assert!((share(&lines) - 0.4).abs() < 1e-9);
        assert!((share(&BTreeMap::<usize, bool>::new()) - 1.0).abs() < 1e-9);
    }
}
