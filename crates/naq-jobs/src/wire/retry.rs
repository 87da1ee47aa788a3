//! The retry policy as it stands in the envelope: milliseconds, and the original's words for the strategies.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::times::millis;
use crate::model::{Backoff, Jitter, RetryPolicy};

/// A retry policy in an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub(crate) struct WireRetry {
    #[serde(default)]
    pub(crate) retries: u32,
    #[serde(default, rename = "delay_ms", skip_serializing_if = "Option::is_none")]
    pub(crate) delay: Option<WireDelay>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) strategy: Option<WireStrategy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_delay_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) jitter: Option<WireJitter>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) retry_on: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignore_on: Vec<String>,
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
    Rising,
    Exponential,
}

/// What chance makes of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WireJitter {
    Full,
    Equal,
}

impl From<&RetryPolicy> for WireRetry {
    fn from(policy: &RetryPolicy) -> Self {
        let ms = |time: &Duration| millis(*time);
        let (delay, strategy) = match &policy.backoff {
            Backoff::Fixed(delay) => (WireDelay::One(ms(delay)), None),
            Backoff::Rising(step) => (WireDelay::One(ms(step)), Some(WireStrategy::Rising)),
            Backoff::Exponential(base) => {
                (WireDelay::One(ms(base)), Some(WireStrategy::Exponential))
            }
            Backoff::Table(delays) => (WireDelay::Table(delays.iter().map(ms).collect()), None),
        };
        Self {
            retries: policy.retries,
            delay: Some(delay),
            strategy,
            max_delay_ms: policy.max_delay.as_ref().map(ms),
            jitter: match policy.jitter {
                Jitter::None => None,
                Jitter::Full => Some(WireJitter::Full),
                Jitter::Equal => Some(WireJitter::Equal),
            },
            retry_on: policy.retry_on.clone(),
            ignore_on: policy.ignore_on.clone(),
        }
    }
}

impl From<WireRetry> for RetryPolicy {
    fn from(wire: WireRetry) -> Self {
        let backoff = match (wire.delay, wire.strategy) {
            (Some(WireDelay::Table(table)), _) => {
                Backoff::Table(table.into_iter().map(Duration::from_millis).collect())
            }
            (Some(WireDelay::One(ms)), Some(WireStrategy::Rising)) => {
                Backoff::Rising(Duration::from_millis(ms))
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
            max_delay: wire.max_delay_ms.map(Duration::from_millis),
            jitter: match wire.jitter {
                None => Jitter::None,
                Some(WireJitter::Full) => Jitter::Full,
                Some(WireJitter::Equal) => Jitter::Equal,
            },
            retry_on: wire.retry_on,
            ignore_on: wire.ignore_on,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_policy_survives_the_wire(
            retries in 0_u32..2000,
            table in proptest::collection::vec(0_u64..1 << 50, 1..9),
            longest in proptest::option::of(0_u64..1 << 50),
            words in proptest::collection::vec("[a-z_:]{1,9}", 0..3),
        ) {
            let table = table.into_iter().map(Duration::from_millis).collect::<Vec<_>>();
            let first = table[0];
            let backoffs = [
                Backoff::Fixed(first), Backoff::Rising(first), Backoff::Exponential(first), Backoff::Table(table),
            ];
            for (backoff, jitter) in backoffs.into_iter().zip([Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Full]) {
                let policy = RetryPolicy {
                    retries,
                    backoff,
                    max_delay: longest.map(Duration::from_millis),
                    jitter,
                    retry_on: words.clone(),
                    ignore_on: words.clone(),
                };
                let text = serde_json::to_string(&WireRetry::from(&policy)).unwrap();
                prop_assert_eq!(RetryPolicy::from(serde_json::from_str::<WireRetry>(&text).unwrap()), policy);
            }
        }
    }
}
