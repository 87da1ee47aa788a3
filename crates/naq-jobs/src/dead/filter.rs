//! Which dead letters are meant.

use std::time::{Duration, SystemTime};

use super::DeadLetter;
use crate::model::QueueName;

/// Which dead letters are meant: those that fit all that is set. The default: all.
///
/// ```
/// use std::time::Duration;
/// use naq_jobs::DeadFilter;
///
/// let filter = DeadFilter {
///     kind: Some("mail.send".to_owned()),
///     older_than: Some(Duration::from_secs(7 * 24 * 3600)),
///     ..DeadFilter::default()
/// };
/// # drop(filter);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadFilter {
    /// Of this queue.
    pub queue: Option<QueueName>,
    /// Of this kind.
    pub kind: Option<String>,
    /// For this reason, one of the [`crate::FailureReason`] words.
    pub reason: Option<String>,
    /// With this text in its error, in upper or lower case.
    pub error: Option<String>,
    /// Of this group, see [`DeadLetter::fingerprint`]; its beginning is enough.
    pub fingerprint: Option<String>,
    /// Stored at least so long ago, by the server's clock.
    pub older_than: Option<Duration>,
    /// Stored at most so long ago, by the server's clock.
    pub newer_than: Option<Duration>,
}

impl DeadFilter {
    /// All of one queue, or all.
    pub fn queue(queue: Option<&QueueName>) -> Self {
        Self {
            queue: queue.cloned(),
            ..Self::default()
        }
    }

    /// Whether only the queue and the highest age are set, so that the server can do it alone.
    pub(super) fn is_a_range(&self) -> bool {
        let Self {
            queue: _,
            kind: None,
            reason: None,
            error: None,
            fingerprint: None,
            older_than: _,
            newer_than: None,
        } = self
        else {
            return false;
        };
        true
    }

    /// Whether `letter` fits, at the server's time `now`.
    pub(super) fn matches(&self, letter: &DeadLetter, now: SystemTime) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        let age = letter
            .stored_at
            .map(|at| now.duration_since(at).unwrap_or_default());
        is(&self.reason, &letter.reason)
            && is(&self.kind, letter.kind.as_deref().unwrap_or(""))
            && self
                .queue
                .as_ref()
                .is_none_or(|queue| *queue == letter.queue)
            && self
                .error
                .as_ref()
                .is_none_or(|part| letter.error.to_lowercase().contains(&part.to_lowercase()))
            && self
                .older_than
                .is_none_or(|least| age.is_some_and(|age| age >= least))
            && self
                .newer_than
                .is_none_or(|most| age.is_some_and(|age| age <= most))
            && self
                .fingerprint
                .as_ref()
                .is_none_or(|wanted| letter.fingerprint().starts_with(wanted.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_set_must_fit() {
        let now = SystemTime::now();
        let letter = DeadLetter {
            id: "a".parse().unwrap(),
            queue: "mail".parse().unwrap(),
            kind: Some("send".into()),
            reason: "error".into(),
            error: "No such User 7".into(),
            attempt: 1,
            dead_at_ms: 0,
            stored_at: Some(now - Duration::from_secs(60)),
            body: bytes::Bytes::new(),
            sequence: 1,
            headers: None,
        };
        let fits = |adjust: &dyn Fn(&mut DeadFilter)| {
            let mut filter = DeadFilter::default();
            adjust(&mut filter);
            filter.matches(&letter, now)
        };
        let (seconds, text) = (Duration::from_secs, |text: &str| Some(text.to_owned()));
        let print = letter.fingerprint();
        assert!(fits(&|_| {}));
        assert!(fits(&|f| f.kind = text("send")));
        assert!(!fits(&|f| f.kind = text("other")));
        assert!(!fits(&|f| f.reason = text("panic")));
        assert!(fits(&|f| f.error = text("such user")));
        assert!(!fits(&|f| f.error = text("such thing")));
        assert!(fits(&|f| f.older_than = Some(seconds(50))));
        assert!(!fits(&|f| f.older_than = Some(seconds(70))));
        assert!(!fits(&|f| f.newer_than = Some(seconds(50))));
        assert!(fits(&|f| f.newer_than = Some(seconds(70))));
        assert!(fits(&|f| f.fingerprint = text(&print[..6])));
        assert!(!fits(&|f| f.fingerprint = text("zz")));
        assert!(!fits(&|f| f.queue = "reports".parse().ok()));
        assert!(!fits(&|f| {
            f.kind = text("send");
            f.reason = text("panic");
        }));
    }
}
