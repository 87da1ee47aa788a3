//! The clock of the server, which stamps its answers about streams.

use std::time::{Duration, SystemTime};

use super::finding::{Check, Finding};

/// What is further apart makes delays and schedules wrong in a way that people notice.
const APART: Duration = Duration::from_secs(2);

/// `stamp` is the server's time in an answer that arrived at `now`.
pub(super) fn judge(stamp: Option<&str>, now: SystemTime) -> Finding {
    let Some(stamp) = stamp else {
        let found =
            "not visible: the server tells its time only with a stream, and there is none yet";
        return Finding::skipped(Check::Clock, found);
    };
    let Ok(there) = humantime::parse_rfc3339(stamp) else {
        return Finding::skipped(
            Check::Clock,
            format!("the server's time cannot be read: {stamp}"),
        );
    };
    let (apart, which) = match now.duration_since(there) {
        Ok(apart) => (apart, "behind"),
        Err(error) => (error.duration(), "ahead of"),
    };
    if apart <= APART {
        return Finding::ok(Check::Clock, format!("within {APART:?} of ours"));
    }
    let found = format!("the server's clock is {apart:.1?} {which} ours");
    let remedy = "keep both clocks right (NTP): delays and schedules follow the server's";
    Finding::warning(Check::Clock, found, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn a_clock_may_be_two_seconds_off_either_way() {
        let stamp = "2026-11-22T01:28:36.087482487Z";
        let there = humantime::parse_rfc3339(stamp).unwrap();
        for (now, verdict) in [
            (there, Verdict::Ok),
            (there + APART, Verdict::Ok),
            (there - APART, Verdict::Ok),
            (there + APART * 2, Verdict::Warning),
            (there - APART * 2, Verdict::Warning),
        ] {
            assert_eq!(judge(Some(stamp), now).verdict, verdict);
        }
        assert_eq!(judge(None, there).verdict, Verdict::Skipped);
        assert_eq!(judge(Some("noon"), there).verdict, Verdict::Skipped);
    }
}
