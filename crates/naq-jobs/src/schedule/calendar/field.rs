//! One field of a cron expression: from its text to the set of its values.

use super::error::CronError;

/// What a field may have in it.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    min: u8,
    max: u8,
    /// Names of the values, from `min` on.
    names: &'static [&'static str],
}

/// The values of a field, as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Set {
    bits: u64,
    /// Whether the field's text begins with `*`.
    pub(super) is_star: bool,
}

pub(super) const SECOND: Field = Field::numbers("second", 0, 59);
pub(super) const MINUTE: Field = Field::numbers("minute", 0, 59);
pub(super) const HOUR: Field = Field::numbers("hour", 0, 23);
pub(super) const DAY: Field = Field::numbers("day of month", 1, 31);
pub(super) const MONTH: Field = Field {
    name: "month",
    min: 1,
    max: 12,
    names: &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
};
/// 0 and 7 are both Sunday.
pub(super) const WEEKDAY: Field = Field {
    name: "day of week",
    min: 0,
    max: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

impl Set {
    /// Only `value`.
    pub(super) fn only(value: u8) -> Self {
        Self {
            bits: 1 << value,
            is_star: false,
        }
    }

    pub(super) fn has(self, value: i8) -> bool {
        u8::try_from(value).is_ok_and(|v| v < 64 && self.bits & (1 << v) != 0)
    }

    /// The smallest value that is `from` or more.
    pub(super) fn at_least(self, from: i8) -> Option<i8> {
        let from = u32::try_from(from).unwrap_or(0);
        let rest = self.bits.checked_shr(from).unwrap_or(0);
        match rest {
            0 => None,
            _ => i8::try_from(from + rest.trailing_zeros()).ok(),
        }
    }

    /// How many values there are.
    pub(super) fn len(self) -> u32 {
        self.bits.count_ones()
    }
}

impl Field {
    const fn numbers(name: &'static str, min: u8, max: u8) -> Self {
        Self {
            name,
            min,
            max,
            names: &[],
        }
    }

    /// Reads a list of values, ranges and steps.
    pub(super) fn parse(&self, text: &str) -> Result<Set, CronError> {
        let mut bits = 0_u64;
        for part in text.split(',') {
            let (first, last, step) = self.part(part).map_err(|what| self.wrong(text, &what))?;
            let mut value = first;
            while value <= last {
                bits |= 1 << value;
                value = match value.checked_add(step) {
                    Some(next) => next,
                    None => break,
                };
            }
        }
        if self.max == 7 && bits & (1 << 7) != 0 {
            bits = (bits & !(1 << 7)) | 1;
        }
        Ok(Set {
            bits,
            is_star: text.starts_with('*'),
        })
    }

    /// First and last value of one part of a list, and its step.
    fn part(&self, part: &str) -> Result<(u8, u8, u8), String> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        let step_by = match step {
            None => 1,
            Some(text) => number(text)
                .filter(|n| *n > 0)
                .ok_or_else(|| format!("the step `{text}` is no number from 1 on"))?,
        };
        let (first, last) = if range == "*" {
            (self.min, if self.max == 7 { 6 } else { self.max })
        } else if let Some((first, last)) = range.split_once('-') {
            let (first, mut last) = (self.value(first)?, self.value(last)?);
            if self.max == 7 && last == 0 && first > 0 {
                last = 7;
            }
            if first > last {
                return Err(format!(
                    "the range `{range}` runs backwards; write two with a comma"
                ));
            }
            (first, last)
        } else {
            let first = self.value(range)?;
            // `5/15` is short for `5-59/15`.
            let last = if step.is_some() { self.max } else { first };
            (first, last)
        };
        Ok((first, last, step_by))
    }

    fn value(&self, text: &str) -> Result<u8, String> {
        let lower = text.to_ascii_lowercase();
        if let Some(index) = self.names.iter().position(|name| *name == lower) {
            return u8::try_from(index)
                .map(|index| self.min + index)
                .map_err(|e| e.to_string());
        }
        match number(text) {
            Some(value) if (self.min..=self.max).contains(&value) => Ok(value),
            Some(value) => Err(format!("{value} is not from {} to {}", self.min, self.max)),
            None if text.is_empty() => Err("a value is missing".to_owned()),
            None => Err(format!("`{text}` is no value")),
        }
    }

    fn wrong(&self, text: &str, what: &str) -> CronError {
        let mut allowed = format!("{}-{}", self.min, self.max);
        if let (Some(first), Some(last)) = (self.names.first(), self.names.last()) {
            allowed.push_str(&format!(" or {first}-{last}"));
        }
        CronError::field(
            self.name,
            format!(
                "`{text}`: {what}. Allowed are `*`, {allowed}, ranges `a-b`, steps `*/n` and lists \
                 `a,b`"
            ),
        )
    }
}

fn number(text: &str) -> Option<u8> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(field: &Field, text: &str) -> Vec<i8> {
        let set = field.parse(text).unwrap();
        (0..64).filter(|v| set.has(*v)).collect()
    }

    #[test]
    fn lists_ranges_steps_and_names_are_read() {
        assert_eq!(values(&HOUR, "9-17/4"), [9, 13, 17]);
        assert_eq!(values(&MINUTE, "*/20"), [0, 20, 40]);
        assert_eq!(values(&MINUTE, "50/3"), [50, 53, 56, 59]);
        assert_eq!(values(&DAY, "1,15,31"), [1, 15, 31]);
        assert_eq!(values(&MONTH, "JAN-mar,12"), [1, 2, 3, 12]);
        assert_eq!(values(&WEEKDAY, "fri-sun"), [0, 5, 6]);
        assert_eq!(values(&WEEKDAY, "7"), [0]);
        assert_eq!(values(&WEEKDAY, "5-7"), [0, 5, 6]);
        assert_eq!(values(&WEEKDAY, "*"), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(values(&DAY, "*/255"), [1]);
    }

    #[test]
    fn a_wrong_field_says_what_is_allowed() {
        for (field, text, what) in [
            (&HOUR, "24", "24 is not from 0 to 23"),
            (&DAY, "0", "0 is not from 1 to 31"),
            (&MINUTE, "*/0", "the step `0`"),
            (&MINUTE, "5-1", "runs backwards"),
            (&MINUTE, "1,", "a value is missing"),
            (&MINUTE, "-5", "a value is missing"),
            (&MINUTE, "+5", "`+5` is no value"),
            (&DAY, "L", "`L` is no value"),
            (&WEEKDAY, "8", "8 is not from 0 to 7"),
            (&WEEKDAY, "mo", "Allowed are `*`, 0-7 or sun-sat"),
            (&MINUTE, "1000", "`1000` is no value"),
        ] {
            let error = field.parse(text).unwrap_err().to_string();
            assert!(error.contains(what), "{text}: {error}");
            assert!(error.contains(field.name), "{text}: {error}");
        }
    }

    #[test]
    fn the_next_value_is_found() {
        let set = MINUTE.parse("10,59").unwrap();
        assert_eq!(set.at_least(0), Some(10));
        assert_eq!(set.at_least(11), Some(59));
        assert_eq!(set.at_least(60), None);
        assert_eq!(set.at_least(64), None);
    }
}
