//! So many starts in such a time, written `100/s`, `30/1m` or `5/s burst 1`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// So many starts in such a time, and how many of them may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    per: Duration,
    burst: u32,
}

/// A text that is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no rate: write a number, `/` and a time, such as 100/s, 30/1m or 5/s burst 1", .0.escape_debug())]
pub struct InvalidRate(String);

impl Rate {
    /// Longest time of a rate: a day.
    pub const LONGEST: Duration = Duration::from_secs(24 * 3600);

    /// `count` starts in each `per`, all of which may come at once. `None` unless both are more than nothing, `per` is
    /// at most a day, and a start is due each microsecond at the most.
    pub fn new(count: u32, per: Duration) -> Option<Self> {
        let is_possible = count > 0
            && (Duration::from_millis(1)..=Self::LONGEST).contains(&per)
            && per.as_micros() >= u128::from(count);
        is_possible.then_some(Self {
            count,
            per,
            burst: count,
        })
    }

    /// Lets `burst` starts come at once, at least one.
    #[must_use]
    pub fn burst(mut self, burst: u32) -> Self {
        self.burst = burst.max(1);
        self
    }

    /// Time between two starts, in microseconds.
    pub fn interval_us(self) -> u64 {
        u64::try_from(self.per.as_micros() / u128::from(self.count)).unwrap_or(u64::MAX)
    }

    /// How far ahead of its time a start may come, in microseconds.
    pub fn tolerance_us(self) -> u64 {
        self.interval_us().saturating_mul(u64::from(self.burst - 1))
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| InvalidRate(text.chars().take(60).collect()))
    }
}

fn parse(text: &str) -> Option<Rate> {
    let (rate, burst) = match text.split_once("burst") {
        Some((rate, burst)) => (rate, Some(burst.trim().parse::<u32>().ok()?)),
        None => (text, None),
    };
    let (count, per) = rate.split_once('/')?;
    let per = per.trim();
    let at = per.find(|c: char| !c.is_ascii_digit()).unwrap_or(per.len());
    let (number, unit) = per.split_at(at);
    let number: u64 = match number {
        "" => 1,
        digits => digits.parse().ok()?,
    };
    let unit_ms = match unit.trim() {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let per = Duration::from_millis(number.checked_mul(unit_ms)?);
    let rate = Rate::new(count.trim().parse().ok()?, per)?;
    match burst {
        Some(0) => None,
        Some(burst) => Some(rate.burst(burst)),
        None => Some(rate),
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.per.as_millis();
        let (number, unit) = match ms {
            _ if ms.is_multiple_of(60_000) => (ms / 60_000, "m"),
            _ if ms.is_multiple_of(1000) => (ms / 1000, "s"),
            _ => (ms, "ms"),
        };
        write!(f, "{}/{number}{unit}", self.count)?;
        if self.burst != self.count {
            write!(f, " burst {}", self.burst)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_and_written() {
        for (text, shown) in [
            ("100/s", "100/1s"),
            ("30/1m", "30/1m"),
            (" 5 / 500ms burst 1", "5/500ms burst 1"),
            ("3600/h", "3600/60m"),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!(rate.to_string(), shown);
            assert_eq!(shown.parse::<Rate>().unwrap(), rate);
        }
        for bad in [
            "",
            "100",
            "0/s",
            "1/0s",
            "x/s",
            "1/s burst 0",
            "1/2d",
            "9/fortnight",
        ] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_burst_is_how_many_come_at_once() {
        let rate = Rate::new(10, Duration::from_secs(1)).unwrap();
        assert_eq!(
            (rate.interval_us(), rate.tolerance_us()),
            (100_000, 900_000)
        );
        assert_eq!(rate.burst(1).tolerance_us(), 0);
    }
}
