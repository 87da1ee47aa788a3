//! Headers: their names, and reading them without trust.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::HeaderMap;

use crate::model::ScheduleName;

/// Retries that were scheduled before this message; absent means 0.
pub const RETRY: &str = "Naq-Retry";
/// How often the job was put off without an attempt being spent; absent means 0.
pub const SNOOZE: &str = "Naq-Snooze";
/// Sequence of the outcome that this run may replace, 0 if it has gone; absent: none may exist. A message that has it
/// comes from the dead letters.
pub const FENCE: &str = "Naq-Fence";
/// Outcome: `completed`, `failed` or `cancelled`.
pub const STATUS: &str = "Naq-Status";
/// Dead letter: the job's kind, if it was readable.
pub const KIND: &str = "Naq-Kind";
/// Dead letter: why, one of the [`crate::FailureReason`] words.
pub const REASON: &str = "Naq-Reason";
/// Dead letter: the last error, one line, shortened.
pub const ERROR: &str = "Naq-Error";
/// Job: attempts that were made before this message; absent means 0. Dead letter: the attempt that was the last.
pub const ATTEMPT: &str = "Naq-Attempt";
/// Dead letter: milliseconds since 1970 at which it was given up.
pub const DEAD_AT: &str = "Naq-Dead-At";
/// Dead letter: the worker that gave it up. News of a free place: the worker of the job that had it.
pub const WORKER: &str = "Naq-Worker";
/// Dead letter: the queue it came from.
pub const QUEUE: &str = "Naq-Queue";

/// Job: the text of its key, if it is a unique one.
pub const UNIQUE: &str = "Naq-Unique";
/// Job: the recurring schedule that it comes from.
pub const SCHEDULE: &str = "Naq-Schedule";
/// Job: the instant of its schedule that it was made for, seconds since 1970.
pub const INSTANT: &str = "Naq-Instant";
/// Firing: the version of the schedule's record that it belongs to.
pub const TURN: &str = "Naq-Turn";

/// Job: jobs with the same text count together for the limits of a key.
pub const LIMIT_KEY: &str = "Naq-Limit-Key";
/// Job: its start has been counted by the limits of the rate; milliseconds since 1970.
pub const BOOKED: &str = "Naq-Booked";
/// Job: how often it was parked before this message; absent means 0.
pub const PARKED: &str = "Naq-Parked";
/// Job: when it was parked first for the present reason, milliseconds since 1970.
pub const PARKED_AT: &str = "Naq-Parked-At";
/// Parked job: the job before whose end it does not start.
pub const AFTER: &str = "Naq-After";
/// Job: its priority, if it is not the normal one, for when it comes back from the dead letters. Its subject decides.
pub const PRIORITY: &str = "Naq-Priority";

/// Headers of this project that belong to the job, not to one of its messages.
const OF_THE_JOB: [&str; 6] = [LIMIT_KEY, PRIORITY, UNIQUE, SCHEDULE, INSTANT, FOLLOWS];

/// Job: the jobs that it has waited for in its workflow, with spaces between; for the links of its trace.
pub const FOLLOWS: &str = "Naq-Follows";

/// Longest text put into one header, in bytes.
pub(crate) const MAX_HEADER_TEXT: usize = 1024;

/// What the headers of a delivered job say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Delivery {
    /// See [`RETRY`].
    pub(crate) retries_done: u32,
    /// See [`ATTEMPT`].
    pub(crate) attempts_before: u32,
    /// See [`SNOOZE`].
    pub(crate) snoozes: u32,
    /// See [`PARKED`].
    pub(crate) was_parked: bool,
    /// See [`FENCE`].
    pub(crate) fence: u64,
    /// Whether there is a [`FENCE`] at all.
    pub(crate) is_requeued: bool,
}

impl Delivery {
    /// Reads the headers; what is no number counts as absent, since a foreign client may have written it.
    pub(crate) fn read(headers: Option<&HeaderMap>) -> Self {
        // Most have none of ours.
        let headers = headers.filter(|all| all.iter().any(|(name, _)| is_ours(name.as_ref())));
        let small = |name| {
            text(headers, name)
                .and_then(|t| t.parse().ok())
                .unwrap_or(0)
        };
        Self {
            retries_done: small(RETRY),
            attempts_before: small(ATTEMPT),
            snoozes: small(SNOOZE),
            was_parked: text(headers, PARKED).is_some(),
            fence: text(headers, FENCE)
                .and_then(|t| t.parse().ok())
                .unwrap_or(0),
            is_requeued: text(headers, FENCE).is_some(),
        }
    }
}

/// The text of a header.
pub(crate) fn text<'a>(headers: Option<&'a HeaderMap>, name: &str) -> Option<&'a str> {
    // There are few: to look at each costs less than to make a key and hash it.
    let (_, values) = headers?
        .iter()
        .find(|(known, _)| AsRef::<str>::as_ref(*known) == name)?;
    values.first().map(async_nats::HeaderValue::as_str)
}

/// Sets a header to one shortened line: line breaks would end the header.
pub(crate) fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    let mut line: String = value
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>();
    if line.len() > MAX_HEADER_TEXT {
        let mut end = MAX_HEADER_TEXT;
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
    }
    headers.insert(name, line.trim());
}

/// The user's own headers, trace context among them.
pub(crate) fn passed_on(headers: Option<&HeaderMap>) -> HeaderMap {
    keep(headers, is_the_users)
}

/// What a message that takes the place of another one carries on, in retries and the dead letters: the user's headers, and
/// ours that belong to the job and not to one message of it.
pub(crate) fn carried(headers: Option<&HeaderMap>) -> HeaderMap {
    keep(headers, |name| {
        is_the_users(name) || OF_THE_JOB.contains(&name)
    })
}

/// The headers of a message that only moves: all but those of the server.
pub(crate) fn moved(headers: Option<&HeaderMap>) -> HeaderMap {
    keep(headers, |name| !name.starts_with("Nats-"))
}

fn is_the_users(name: &str) -> bool {
    !name.starts_with("Nats-") && !is_ours(name)
}

fn is_ours(name: &str) -> bool {
    name.starts_with("Naq-")
}

fn keep(headers: Option<&HeaderMap>, is_kept: impl Fn(&str) -> bool) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for (name, values) in headers.into_iter().flat_map(HeaderMap::iter) {
        if !is_kept(name.as_ref()) {
            continue;
        }
        for value in values {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}

/// The schedule that made a job, and the instant that it was made for.
pub(crate) fn origin(headers: Option<&HeaderMap>) -> Option<(ScheduleName, SystemTime)> {
    let name = ScheduleName::new(text(headers, SCHEDULE)?).ok()?;
    let (seconds, millis) = match text(headers, INSTANT)?.split_once('.') {
        Some((seconds, millis)) => (seconds, millis.parse().ok()?),
        None => (text(headers, INSTANT)?, 0),
    };
    let since = Duration::from_secs(seconds.parse().ok()?) + Duration::from_millis(millis);
    let instant = UNIX_EPOCH.checked_add(since)?;
    Some((name, instant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_text_stays_one_short_line() {
        let mut headers = HeaderMap::new();
        set(
            &mut headers,
            ERROR,
            &format!("first\r\nNats-Rollup: all\n{}", "é".repeat(2000)),
        );
        let line = text(Some(&headers), ERROR).unwrap();
        assert!(line.starts_with("first  Nats-Rollup: all é"), "{line}");
        assert!(line.len() <= MAX_HEADER_TEXT);
    }

    #[test]
    fn only_the_users_headers_travel_on() {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", "00-1-2-01");
        headers.insert("Nats-Msg-Id", "x");
        headers.insert(RETRY, "3");
        headers.insert(LIMIT_KEY, "tenant-7");
        assert_eq!(moved(Some(&headers)).len(), 3);
        let kept = passed_on(Some(&headers));
        assert_eq!(text(Some(&kept), "traceparent"), Some("00-1-2-01"));
        assert_eq!(kept.len(), 1);
        headers.insert(UNIQUE, "invoice-17");
        assert_eq!(passed_on(Some(&headers)).len(), 1);
        let carried = carried(Some(&headers));
        assert_eq!(text(Some(&carried), UNIQUE), Some("invoice-17"));
        assert_eq!(text(Some(&carried), LIMIT_KEY), Some("tenant-7"));
        assert_eq!(carried.len(), 3);
        assert_eq!(
            Delivery::read(Some(&headers)),
            Delivery {
                retries_done: 3,
                ..Delivery::default()
            }
        );
    }
}
