//! Spans of time on the command line: `30s`, `5m`, `1h 30m`, `250ms`, or a number of seconds.

use std::time::Duration;

/// Longest span that is accepted: ten years.
const MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Reads a span of time; the error says what is accepted.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let duration = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => humantime::parse_duration(text).ok(),
    };
    match duration {
        Some(duration) if duration <= MAX => Ok(duration),
        Some(_) => Err("at most ten years are possible".to_owned()),
        None => Err("write it like `30s`, `5m`, `250ms`, or as a number of seconds".to_owned()),
    }
}

/// As [`parse`], not zero.
pub(crate) fn parse_positive(text: &str) -> Result<Duration, String> {
    match parse(text)? {
        Duration::ZERO => Err("it must be more than zero".to_owned()),
        duration => Ok(duration),
    }
}

/// About how long ago something was, in its largest unit: `3s`, `5m`, `2h`, `4d`.
pub(crate) fn rough(duration: Duration) -> String {
    match duration.as_secs() {
        secs @ 0..60 => format!("{secs}s"),
        secs @ 60..3600 => format!("{}m", secs / 60),
        secs @ 3600..86_400 => format!("{}h", secs / 3600),
        secs => format!("{}d", secs / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_seconds_and_units_are_understood() {
        for (text, millis) in [
            ("2", 2000),
            ("0.5", 500),
            ("250ms", 250),
            ("1h 30m", 5_400_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "soon", "-1", "NaN", "inf", "1e300", "11years"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse_positive("0").is_err());
    }
}
