//! Rules that say when the numbers are not healthy.

use std::fmt;
use std::time::Duration;

use super::snapshot::ConnectionMetrics;

/// Thresholds; a rule fires above its threshold, not at it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct AlertRules {
    /// Active connections. Default 100.
    pub max_active: u64,
    /// Share of all connections that failed, from 0.0 to 1.0. Default 0.1.
    pub max_failure_rate: f64,
    /// Average connection time. Default 1 s.
    pub max_average: Duration,
}

impl Default for AlertRules {
    fn default() -> Self {
        Self {
            max_active: 100,
            max_failure_rate: 0.1,
            max_average: Duration::from_secs(1),
        }
    }
}

/// A rule that has fired. `Display` says it in words, with the number.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Alert {
    /// So many connections are active.
    ManyActive(u64),
    /// This share of all connections failed.
    ManyFailed(f64),
    /// It takes so long to connect.
    SlowConnects(Duration),
}

impl AlertRules {
    /// The rules that the metrics break.
    ///
    /// ```
    /// use naq_connection::{AlertRules, ConnectionMetrics};
    ///
    /// assert!(AlertRules::default().evaluate(&ConnectionMetrics::default()).is_empty());
    /// ```
    pub fn evaluate(&self, metrics: &ConnectionMetrics) -> Vec<Alert> {
        let (active, average) = (
            metrics.active_connections,
            metrics.average_connection_time(),
        );
        let rate = metrics.failure_rate();
        let mut alerts = Vec::new();
        if active > self.max_active {
            alerts.push(Alert::ManyActive(active));
        }
        if rate > self.max_failure_rate {
            alerts.push(Alert::ManyFailed(rate));
        }
        if average > self.max_average {
            alerts.push(Alert::SlowConnects(average));
        }
        alerts
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ManyActive(active) => {
                write!(f, "High number of active connections: {active}")
            }
            Self::ManyFailed(rate) => {
                write!(f, "High connection failure rate: {:.1} %", rate * 100.0)
            }
            Self::SlowConnects(average) => write!(
                f,
                "Slow connection performance detected: {:.3} s on average",
                average.as_secs_f64()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::Timing;

    fn fired(active: u64, failed: u64, total: u64, average: Duration) -> Vec<String> {
        let metrics = ConnectionMetrics {
            active_connections: active,
            failed_connections: failed,
            total_connections: total,
            dial: Timing {
                mean: average,
                ..Timing::default()
            },
            ..ConnectionMetrics::default()
        };
        let alerts = AlertRules::default().evaluate(&metrics);
        alerts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_rule_fires_above_its_threshold_and_not_at_it() {
        let second = Duration::from_secs(1);
        assert!(fired(100, 10, 100, second).is_empty());
        assert_eq!(
            fired(101, 0, 0, Duration::ZERO),
            ["High number of active connections: 101"]
        );
        assert_eq!(
            fired(0, 11, 100, Duration::ZERO),
            ["High connection failure rate: 11.0 %"]
        );
        assert_eq!(
            fired(0, 0, 0, second + Duration::from_nanos(1)),
            ["Slow connection performance detected: 1.000 s on average"]
        );
        assert_eq!(fired(101, 11, 100, 2 * second).len(), 3);
    }
}
