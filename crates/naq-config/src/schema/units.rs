//! Times and sizes as people write them.

use std::time::Duration;

/// A number of seconds, or a number with a unit such as `500ms`, `1h30m` or `7d`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    match text.parse::<f64>() {
        // Rust also reads `inf` and `nan` as numbers; the conversion refuses them.
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => humantime::parse_duration(text).ok(),
    }
}

/// A number of bytes, or a whole number with a unit: `KB` is 1000 and `KiB` is 1024 bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let number: u64 = text[..end].parse().ok()?;
    let factor: u64 = match text[end..].trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "ki" | "kib" => 1 << 10,
        "mi" | "mib" => 1 << 20,
        "gi" | "gib" => 1 << 30,
        "ti" | "tib" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_seconds_or_has_units() {
        for (text, millis) in [
            ("2.0", 2_000),
            ("30", 30_000),
            ("0", 0),
            ("0.25", 250),
            ("2s", 2_000),
            ("500ms", 500),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("168h", 604_800_000),
            ("7d", 604_800_000),
        ] {
            assert_eq!(
                duration(text),
                Some(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for text in [
            "",
            "-1",
            "-1s",
            "nan",
            "inf",
            "1e400",
            "1e30",
            "2 parsecs",
            "s",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_size_is_bytes_or_has_a_unit() {
        for (text, bytes) in [
            ("0", 0),
            ("1048576", 1_048_576),
            ("64KiB", 65_536),
            ("64 kib", 65_536),
            ("1MB", 1_000_000),
            ("1GB", 1_000_000_000),
            ("1GiB", 1_073_741_824),
        ] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "-1", "1.5GB", "GB", "1XB", "99999999999TB", "1 2"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[0-9a-zA-Z. -]{0,30}|\\PC{0,30}") {
            let _outcome = (duration(&text), size(&text));
        }
    }
}
