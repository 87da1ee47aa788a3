//! The token bucket as one number: the theoretical arrival time (GCRA), with reservations. Pure.
//!
//! ```text
//!   start = max(now, arrival - tolerance)      arrival' = max(arrival, now) + interval
//! ```
//!
//! Who comes too early gets an instant of its own in the future, so nobody has to come back and ask again.

use naq_config::settings::Rate;

/// Books one start at `now`, with the theoretical arrival time `arrival`; both in microseconds. Says the new arrival time,
/// and when the start may be.
pub(super) fn book(arrival: u64, now: u64, rate: Rate) -> (u64, u64) {
    let arrival = arrival.max(now);
    let start = arrival.saturating_sub(rate.tolerance_us()).max(now);
    (arrival.saturating_add(rate.interval_us()), start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn a_burst_starts_at_once_and_the_rest_in_the_rhythm() {
        let rate = Rate::new(10, Duration::from_secs(1)).unwrap().burst(3);
        let (mut arrival, now) = (0, 5_000_000);
        let starts: Vec<u64> = (0..6)
            .map(|_| {
                let (next, start) = book(arrival, now, rate);
                arrival = next;
                start - now
            })
            .collect();
        assert_eq!(starts, [0, 0, 0, 100_000, 200_000, 300_000]);
    }

    proptest! {
        #[test]
        fn no_window_has_more_than_its_share(
            count in 1_u32..50, burst in 1_u32..20, waits in proptest::collection::vec(0_u64..200_000, 1..200)
        ) {
            let rate = Rate::new(count, Duration::from_secs(1)).unwrap().burst(burst);
            let (mut arrival, mut now, mut starts) = (0, 0, Vec::new());
            for wait in waits {
                now += wait;
                let (next, start) = book(arrival, now, rate);
                arrival = next;
                prop_assert!(start >= now);
                starts.push(start);
            }
            starts.sort_unstable();
            for (first, from) in starts.iter().enumerate() {
                for (last, to) in starts.iter().enumerate().skip(first) {
                    let most = u64::from(burst) + (to - from) / rate.interval_us() + 1;
                    prop_assert!((last - first + 1) as u64 <= most);
                }
            }
        }
    }
}
