//! What the connection costs: the dial once, the round trip each time.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::probe::{DEADLINE, look};
use crate::error::ConnectionErrorKind;
use crate::scope::given_or_global;
use crate::service::{ConnectionService, DEFAULT_PROFILE};
use crate::state::Phase;

/// Times of confirmed round trips on one connection; all zero if none succeeded.
///
/// `Display` is a line for each, times in seconds and the rate in percent:
///
/// ```text
/// Average time: 0.004s
/// Min time: 0.003s
/// Max time: 0.009s
/// Success rate: 100.0%
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Performance {
    /// Round trips that succeeded, from 0.0 to 1.0.
    pub success_rate: f64,
    /// The shortest.
    pub min: Duration,
    /// The average.
    pub mean: Duration,
    /// Half of them took no longer.
    pub p50: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
    /// Time of the dial, which is in none of the others; `None` if the connection was there already
    /// or could not be made.
    pub dial: Option<Duration>,
}

/// Measures `iterations` round trips, one after the other, on the connection of
/// [`DEFAULT_PROFILE`].
///
/// `service` may be `None`: the one of [`global`](crate::global). Dials first if need be. Never fails: a server that is not there has the rate 0. A round trip
/// that has no answer after five seconds has failed and so have those after it, which are not tried
/// any more. Cancel safe.
pub async fn measure_connection_performance<'a>(
    service: impl Into<Option<&'a ConnectionService>>,
    iterations: u32,
) -> Performance {
    let mut times = Vec::new();
    let mut dial = None;
    let Ok(service) = &given_or_global(service.into()) else {
        return Performance::of(iterations, dial, times);
    };
    if iterations > 0 && !has_client(service) {
        let start = Instant::now();
        let leased = tokio::time::timeout(DEADLINE, service.connection()).await;
        match leased {
            Ok(lease) => dial = lease.is_ok().then(|| start.elapsed()),
            Err(_elapsed) => return Performance::of(iterations, dial, times),
        }
    }
    for _ in 0..iterations {
        let health = look(service, DEFAULT_PROFILE, DEADLINE).await.health;
        times.extend(health.rtt);
        let silent = health
            .last_error
            .is_some_and(|error| matches!(error.kind(), ConnectionErrorKind::Deadline { .. }));
        if silent {
            break;
        }
    }
    Performance::of(iterations, dial, times)
}

fn has_client(service: &ConnectionService) -> bool {
    let state = service.state_of(DEFAULT_PROFILE);
    state.is_ok_and(|state| matches!(state.phase, Phase::Connected | Phase::Reconnecting { .. }))
}

impl Performance {
    fn of(iterations: u32, dial: Option<Duration>, mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let succeeded = u32::try_from(times.len()).unwrap_or(u32::MAX);
        let sum: Duration = times.iter().sum();
        Self {
            success_rate: f64::from(succeeded) / f64::from(iterations.max(1)),
            min: times.first().copied().unwrap_or_default(),
            mean: sum.checked_div(succeeded).unwrap_or_default(),
            p50: percentile(&times, 50),
            p99: percentile(&times, 99),
            max: times.last().copied().unwrap_or_default(),
            dial,
        }
    }
}

/// The smallest of the sorted `times` that at least `percent` of them do not exceed.
fn percentile(times: &[Duration], percent: usize) -> Duration {
    let rank = (times.len() * percent).div_ceil(100);
    let time = times.get(rank.saturating_sub(1));
    time.copied().unwrap_or_default()
}

impl fmt::Display for Performance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Average time: {:.3}s", self.mean.as_secs_f64())?;
        writeln!(f, "Min time: {:.3}s", self.min.as_secs_f64())?;
        writeln!(f, "Max time: {:.3}s", self.max.as_secs_f64())?;
        write!(f, "Success rate: {:.1}%", self.success_rate * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn times_are_summed_up_by_rank_and_shown_in_seconds_and_percent() {
        let times = (1..=100).rev().map(|n| MS(2 * n)).collect();
        let performance = Performance::of(160, Some(MS(7)), times);
        let Performance { min, p50, p99, .. } = performance;
        assert_eq!([min, p50, p99], [MS(2), MS(100), MS(198)]);
        assert_eq!(performance.max, MS(200));
        assert_eq!(performance.mean, MS(101));
        let shown = "Average time: 0.101s\nMin time: 0.002s\nMax time: 0.200s\nSuccess rate: 62.5%";
        assert_eq!(performance.to_string(), shown);
    }

    #[test]
    fn without_a_success_all_is_zero_and_nothing_is_divided_by_it() {
        for iterations in [0, 10] {
            let nothing = Performance::of(iterations, None, Vec::new());
            assert_eq!(nothing.success_rate.to_bits(), 0.0_f64.to_bits());
            assert_eq!(
                (nothing.mean, nothing.p99),
                (Duration::ZERO, Duration::ZERO)
            );
        }
    }
}
