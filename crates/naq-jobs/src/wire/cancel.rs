//! What is said on `naq.cancel.<id>`, and what the worker answers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::times::millis;

/// "Stop this job."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct CancelNotice {
    /// Why.
    pub(crate) reason: String,
    /// Time until the handler's future is dropped.
    grace_ms: u64,
    /// Only a question: who runs it, which attempt? Nothing is stopped.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) ask: bool,
}

/// "I run it."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CancelAnswer {
    pub(crate) worker: String,
    pub(crate) attempt: u32,
}

impl CancelNotice {
    pub(crate) fn new(reason: impl Into<String>, grace: Duration) -> Self {
        Self {
            reason: reason.into(),
            grace_ms: millis(grace),
            ask: false,
        }
    }

    /// "Who runs it?"
    pub(crate) fn question() -> Self {
        Self {
            ask: true,
            ..Self::default()
        }
    }

    /// With the usual grace.
    pub(crate) fn because(reason: String) -> Self {
        Self {
            reason,
            ..Self::default()
        }
    }

    /// Reads what anybody may have sent: an empty or strange body is a cancel without words.
    pub(crate) fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// Time until the handler's future is dropped.
    pub(crate) fn grace(&self) -> Duration {
        Duration::from_millis(self.grace_ms)
    }
}

impl Default for CancelNotice {
    fn default() -> Self {
        Self {
            reason: "cancelled".to_owned(),
            grace_ms: 5000,
            ask: false,
        }
    }
}

/// Names this process as the one that recorded an outcome without being a worker.
pub(crate) fn holder(what: &str) -> String {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    format!("naq-{what}-{host}-{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancel_of_few_words_is_understood() {
        let plain = CancelNotice::default();
        for body in ["", "{}", "no JSON", "null", "{\"grace_ms\":\"x\"}"] {
            assert_eq!(CancelNotice::read(body.as_bytes()), plain, "{body}");
        }
        let notice = CancelNotice::read(br#"{"reason":"no longer wanted","grace_ms":20}"#);
        assert_eq!(
            notice,
            CancelNotice::new("no longer wanted", Duration::from_millis(20))
        );
        let written = serde_json::to_string(&notice).unwrap();
        assert_eq!(written, r#"{"reason":"no longer wanted","grace_ms":20}"#);
        assert!(CancelNotice::read(br#"{"ask":true}"#).ask);
    }
}
