//! Times and spans for people.

use std::fmt;
use std::time::SystemTime;

use crate::wire::millis;

pub(super) fn held(
    f: &mut fmt::Formatter<'_>,
    since: Option<SystemTime>,
    by: Option<&str>,
    why: Option<&str>,
) -> fmt::Result {
    f.write_str(&since.map_or_else(String::new, |since| {
        format!(" for {}", span(elapsed(since)))
    }))?;
    by.map_or(Ok(()), |by| write!(f, " by {by}"))?;
    why.map_or(Ok(()), |why| write!(f, ": {why}"))
}

pub(super) fn not_due(
    f: &mut fmt::Formatter<'_>,
    retry: u32,
    retries: u32,
    in_ms: u64,
) -> fmt::Result {
    write!(f, "it is due in {}", span(in_ms))?;
    match retry {
        0 => Ok(()),
        retry => write!(f, ": retry {retry} of {retries}, after an error"),
    }
}

pub(super) fn at(time: Option<SystemTime>) -> String {
    match time.map(|time| (time, time.duration_since(SystemTime::now()))) {
        Some((_, Ok(left))) => format!(" in {}", span(millis(left))),
        Some((time, Err(_))) => format!(" {} ago", span(elapsed(time))),
        None => String::new(),
    }
}

pub(super) fn ago(time: Option<SystemTime>) -> String {
    time.map_or_else(String::new, |time| format!(" for {}", span(elapsed(time))))
}

fn elapsed(time: SystemTime) -> u64 {
    millis(time.elapsed().unwrap_or_default())
}

/// A span for people: `0.4 s`, `12 s`, `5 min`, `3 h`, `2 d`.
pub(super) fn span(ms: u64) -> String {
    match ms / 1000 {
        0..10 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        s @ 10..120 => format!("{s} s"),
        s @ 120..7200 => format!("{} min", s / 60),
        s @ 7200..172_800 => format!("{} h", s / 3600),
        s => format!("{} d", s / 86_400),
    }
}
