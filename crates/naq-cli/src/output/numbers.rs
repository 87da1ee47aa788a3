//! Numbers for people.

use std::time::Duration;

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A short time with three digits: `0.84 ms`, `12.3 ms`, `1.25 s`.
pub(crate) fn latency(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1000.0;
    match ms {
        ..10.0 => format!("{ms:.2} ms"),
        ..100.0 => format!("{ms:.1} ms"),
        ..1000.0 => format!("{ms:.0} ms"),
        _ => format!("{:.2} s", ms / 1000.0),
    }
}

/// A figure with about three digits that count: `0.142`, `37.5`, `121,400`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a conversion that saturates; figures are no larger than counts"
)]
pub(crate) fn figure(number: f64) -> String {
    match number {
        ..10.0 => format!("{number:.3}"),
        ..1000.0 => format!("{number:.1}"),
        _ => grouped(number.round() as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn a_latency_has_three_digits() {
        assert_eq!(latency(Duration::from_micros(840)), "0.84 ms");
        assert_eq!(latency(Duration::from_micros(12_340)), "12.3 ms");
        assert_eq!(latency(Duration::from_millis(1250)), "1.25 s");
    }
}
