//! The retry policy as it stands in the envelope: milliseconds, and the original's words for the strategies.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Backoff, RetryPolicy};

/// A retry policy in an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub(crate) struct WireRetry {
    #[serde(default)]
    pub(crate) retries: u32,
    #[serde(default, rename = "delay_ms", skip_serializing_if = "Option::is_none")]
    pub(crate) delay: Option<WireDelay>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) strategy: Option<WireStrategy>,
}

/// One wait, or one for each retry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum WireDelay {
    One(u64),
    Table(Vec<u64>),
}

/// How one wait grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WireStrategy {
    Linear,
    Exponential,
}

impl From<&RetryPolicy> for WireRetry {
    fn from(policy: &RetryPolicy) -> Self {
        let ms = |d: &Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        let (delay, strategy) = match &policy.backoff {
            Backoff::Fixed(delay) => (WireDelay::One(ms(delay)), None),
            Backoff::Exponential(base) => {
                (WireDelay::One(ms(base)), Some(WireStrategy::Exponential))
            }
            Backoff::Table(delays) => (WireDelay::Table(delays.iter().map(ms).collect()), None),
        };
        Self {
            retries: policy.retries,
            delay: Some(delay),
            strategy,
        }
    }
}

impl From<WireRetry> for RetryPolicy {
    fn from(wire: WireRetry) -> Self {
        let backoff = match (wire.delay, wire.strategy) {
            (Some(WireDelay::Table(table)), _) => {
                Backoff::Table(table.into_iter().map(Duration::from_millis).collect())
            }
            (Some(WireDelay::One(ms)), Some(WireStrategy::Exponential)) => {
                Backoff::Exponential(Duration::from_millis(ms))
            }
            (Some(WireDelay::One(ms)), _) => Backoff::Fixed(Duration::from_millis(ms)),
            (None, _) => Backoff::default(),
        };
        Self {
            retries: wire.retries,
            backoff,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_policy_survives_the_wire(retries in 0_u32..2000, table in proptest::collection::vec(0_u64..1 << 50, 1..9)) {
            let table = table.into_iter().map(Duration::from_millis).collect::<Vec<_>>();
            for backoff in [Backoff::Fixed(table[0]), Backoff::Exponential(table[0]), Backoff::Table(table)] {
                let policy = RetryPolicy { retries, backoff };
                prop_assert_eq!(RetryPolicy::from(WireRetry::from(&policy)), policy);
            }
        }
    }
}
