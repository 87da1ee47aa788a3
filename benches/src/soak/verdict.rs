//! Whether a series of samples is flat.
//!
//! The memory of the second half of a run, less what the client keeps of requests that were left
//! before their reply: up to [`SLOT_KIB`] for each until it is replaced, which is after
//! [`MOST_SLOTS`] of them. Besides, nothing may be left at the end.

use serde::Serialize;

use crate::stats::{median, slope};

/// Growth over the judged half that counts as noise of the allocator: the larger of the two.
const NOISE_KIB: f64 = 1024.0;
const NOISE_SHARE: f64 = 0.05;
const SLOT_KIB: f64 = 0.4;
const MOST_SLOTS: f64 = 10_000.0;

/// One look at the memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) seconds: f64,
    pub(super) kib: f64,
    /// Requests so far that were left before their reply.
    pub(super) abandoned: f64,
}

/// What grew, and what was left at the end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Verdict {
    pub(super) flat: bool,
    pub(super) rss_kib_median: f64,
    /// Of the second half of the run; the first is for warming up.
    pub(super) rss_kib_per_minute: f64,
    pub(super) rss_kib_growth: f64,
    /// Of the growth: the most that the client keeps of requests that were left meanwhile.
    pub(super) abandoned_kib: f64,
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

/// Judges the memory, and what is left.
pub(super) fn judge(memory: &[Sample], left: Left) -> Verdict {
    let second_half = &memory[memory.len() / 2..];
    let points: Vec<_> = second_half.iter().map(|s| (s.seconds, s.kib)).collect();
    let per_second = slope(&points);
    let (seconds, abandoned) = match (second_half.first(), second_half.last()) {
        (Some(first), Some(last)) => (
            last.seconds - first.seconds,
            last.abandoned - first.abandoned,
        ),
        _ => (0.0, 0.0),
    };
    let typical = median(&second_half.iter().map(|s| s.kib).collect::<Vec<_>>());
    let growth = per_second * seconds;
    let abandoned = abandoned.min(MOST_SLOTS) * SLOT_KIB;
    let noise = NOISE_KIB.max(NOISE_SHARE * typical);
    Verdict {
        flat: growth - abandoned <= noise && left.is_nothing(),
        rss_kib_median: typical,
        rss_kib_per_minute: per_second * 60.0,
        rss_kib_growth: growth,
        abandoned_kib: abandoned,
        files_left: left.files,
        tasks_left: left.tasks,
        leases_left: left.leases,
        connections_left: left.connections,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten minutes in which this many KiB and requests a second were added and left.
    fn memory(kib: f64, abandoned: f64) -> Vec<Sample> {
        let at = |seconds| Sample {
            seconds,
            kib: 10_000.0 + kib * seconds,
            abandoned: abandoned * seconds,
        };
        (0..600).map(f64::from).map(at).collect()
    }

    fn is_flat(kib: f64, abandoned: f64) -> bool {
        judge(&memory(kib, abandoned), Left::default()).flat
    }

    #[test]
    fn a_level_line_is_flat_and_a_leak_is_not() {
        assert!(is_flat(0.0, 0.0) && !is_flat(5.0, 0.0));
        let leaking = judge(&memory(5.0, 0.0), Left::default());
        assert!((leaking.rss_kib_per_minute - 300.0).abs() < 1.0);
    }

    #[test]
    fn what_grows_only_at_the_start_is_flat() {
        let mut memory = memory(0.0, 0.0);
        for sample in &mut memory {
            sample.kib += 20_000.0 * (sample.seconds / 200.0).min(1.0);
        }
        assert!(judge(&memory, Left::default()).flat);
    }

    #[test]
    fn requests_that_were_left_explain_what_the_client_keeps_of_them_and_no_more() {
        assert!(is_flat(5.0, 10.0) && !is_flat(10.0, 10.0));
        // However many they are, the client that kept them is replaced in time.
        assert!(is_flat(15.0, 1000.0) && !is_flat(30.0, 1000.0));
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
            assert!(!judge(&memory(0.0, 0.0), left).flat);
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
