//! The end of a call.

use std::time::Duration;

use tokio::time::Instant;

/// Longer than any program runs: `Duration::MAX` is a fair way to say "no limit".
const LONG: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

pub(crate) fn end(start: Instant, limit: Duration) -> Instant {
    start.checked_add(limit).unwrap_or_else(|| start + LONG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_beyond_the_clock_is_a_long_one() {
        let start = Instant::now();
        assert!(end(start, Duration::MAX) > end(start, Duration::from_secs(1_000_000)));
    }
}
