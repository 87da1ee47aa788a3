//! Whether a series of samples is flat.

use serde::Serialize;

use crate::stats::{median, slope};

/// Growth over the judged half that counts as noise of the allocator: the larger of the two.
const NOISE_KIB: f64 = 4096.0;
const NOISE_SHARE: f64 = 0.05;

/// What grew, and what was left at the end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Verdict {
    pub(super) flat: bool,
    pub(super) rss_kib_median: f64,
    /// Of the second half of the run; the first is for warming up.
    pub(super) rss_kib_per_minute: f64,
    pub(super) rss_kib_growth: f64,
    pub(super) files_left: i64,
    pub(super) tasks_left: i64,
    pub(super) leases_left: usize,
    pub(super) connections_left: usize,
}

/// What is there after the end and was not before the start.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Left {
    pub(super) files: i64,
    pub(super) tasks: i64,
    pub(super) leases: usize,
    pub(super) connections: usize,
}

impl Left {
    fn is_nothing(self) -> bool {
        self.files <= 0 && self.tasks <= 0 && self.leases == 0 && self.connections == 0
    }
}

/// Judges the memory, as (seconds, KiB), and what is left.
pub(super) fn judge(memory: &[(f64, f64)], left: Left) -> Verdict {
    let second_half = &memory[memory.len() / 2..];
    let per_second = slope(second_half);
    let seconds = match (second_half.first(), second_half.last()) {
        (Some(first), Some(last)) => last.0 - first.0,
        _ => 0.0,
    };
    let typical = median(&second_half.iter().map(|p| p.1).collect::<Vec<_>>());
    let growth = per_second * seconds;
    Verdict {
        flat: growth <= NOISE_KIB.max(NOISE_SHARE * typical) && left.is_nothing(),
        rss_kib_median: typical,
        rss_kib_per_minute: per_second * 60.0,
        rss_kib_growth: growth,
        files_left: left.files,
        tasks_left: left.tasks,
        leases_left: left.leases,
        connections_left: left.connections,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(per_second: f64) -> Vec<(f64, f64)> {
        let second = |n: i32| f64::from(n);
        (0..600)
            .map(|n| (second(n), 30_000.0 + per_second * second(n)))
            .collect()
    }

    #[test]
    fn a_level_line_is_flat_and_a_leak_is_not() {
        assert!(judge(&memory(0.0), Left::default()).flat);
        let leaking = judge(&memory(50.0), Left::default());
        assert!(!leaking.flat);
        assert!((leaking.rss_kib_per_minute - 3000.0).abs() < 1.0);
    }

    #[test]
    fn what_grows_only_at_the_start_is_flat() {
        let mut memory = memory(0.0);
        for (second, kib) in &mut memory {
            *kib += 20_000.0 * (*second / 200.0).min(1.0);
        }
        assert!(judge(&memory, Left::default()).flat);
    }

    #[test]
    fn anything_left_is_not_flat() {
        for left in [
            Left {
                files: 1,
                ..Left::default()
            },
            Left {
                tasks: 1,
                ..Left::default()
            },
            Left {
                leases: 1,
                ..Left::default()
            },
            Left {
                connections: 1,
                ..Left::default()
            },
        ] {
            assert!(!judge(&memory(0.0), left).flat);
        }
        assert!(
            judge(
                &[],
                Left {
                    files: -1,
                    ..Left::default()
                }
            )
            .flat
        );
    }
}
