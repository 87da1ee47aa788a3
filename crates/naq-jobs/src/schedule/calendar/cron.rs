//! Cron expressions: the text, and the next date and time that fits, in whatever zone.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Time};

use super::error::CronError;
use super::field::{DAY, HOUR, MINUTE, MONTH, SECOND, Set, WEEKDAY};

/// Steps of one search. A day that fits is at most forty years away (a 29th of February on a given weekday, over the
/// year 2100), and each step is a day or a month.
const MAX_STEPS: usize = 41 * 366;

/// Names for whole expressions.
const NAMED: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// A cron expression: five fields (minute, hour, day of month, month, day of week), or six with seconds first, or a
/// name like `@daily`.
///
/// A field has `*`, values, ranges `a-b`, steps `*/n`, `a-b/n` and `a/n` (from `a` to the end), and lists of those with
/// commas. Months and days of the week have English names of three letters; Sunday is 0 or 7.
///
/// Day of month and day of week follow Vixie cron: if both are restricted, a day fits that fits *one* of them; if the
/// text of one begins with `*`, it has to fit both.
///
/// ```
/// let cron: naq_jobs::Cron = "0 9 * * mon-fri".parse()?;
/// assert_eq!(cron.to_string(), "0 9 * * mon-fri");
/// assert!("0 0 30 2 *".parse::<naq_jobs::Cron>().is_err(), "there is no 30th of February");
/// # Ok::<(), naq_jobs::CronError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cron {
    text: String,
    second: Set,
    minute: Set,
    hour: Set,
    day: Set,
    month: Set,
    weekday: Set,
}

impl Cron {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`CronError`], which names the field and says what is allowed. Also for one that never fits, as `0 0 30 2 *`.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let spelled = spelled_out(&text)?;
        let fields: Vec<&str> = spelled.split(' ').filter(|f| !f.is_empty()).collect();
        let (second, rest) = match fields.len() {
            5 => (Set::only(0), &fields[..]),
            6 => (SECOND.parse(fields[0])?, &fields[1..]),
            count => {
                return Err(CronError::new(format!(
                    "{count} fields in {text:?}: write five (minute, hour, day of month, month, day of \
                     week), or six with seconds first, or a name like @daily"
                )));
            }
        };
        let cron = Self {
            second,
            minute: MINUTE.parse(rest[0])?,
            hour: HOUR.parse(rest[1])?,
            day: DAY.parse(rest[2])?,
            month: MONTH.parse(rest[3])?,
            weekday: WEEKDAY.parse(rest[4])?,
            text,
        };
        cron.check()?;
        Ok(cron)
    }

    /// Refuses what never fits.
    fn check(&self) -> Result<(), CronError> {
        const LONGEST: [i8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let reachable = (1..=12).zip(LONGEST).any(|(month, days)| {
            self.month.has(month) && self.day.at_least(1).is_some_and(|first| first <= days)
        });
        if reachable || self.is_either_day() {
            return Ok(());
        }
        Err(CronError::field(
            DAY.name,
            format!(
                "never fits in {:?}: no month of it has such a day",
                self.text
            ),
        ))
    }

    /// Whether a day needs to fit only one of day of month and day of week.
    fn is_either_day(&self) -> bool {
        !self.day.is_star && !self.weekday.is_star
    }

    /// Whether it fires in each hour of the day: such a schedule is one of spans of time rather than of times of day.
    pub(super) fn is_every_hour(&self) -> bool {
        self.hour.len() == 24
    }

    /// The first date and time that is `from` or later and fits. `None` after the year 9999.
    pub(super) fn at_or_after(&self, from: DateTime) -> Option<DateTime> {
        let (mut date, mut time) = (from.date(), from.time());
        if time.subsec_nanosecond() > 0 {
            let next = from.checked_add(jiff::Span::new().seconds(1)).ok()?;
            (date, time) = (next.date(), next.time());
            time = time.with().subsec_nanosecond(0).build().ok()?;
        }
        for _ in 0..MAX_STEPS {
            if !self.month.has(date.month()) {
                date = date.last_of_month().tomorrow().ok()?;
                time = Time::midnight();
                continue;
            }
            if self.fits_day(date)
                && let Some(time) = self.time_at_or_after(time)
            {
                return Some(date.to_datetime(time));
            }
            date = date.tomorrow().ok()?;
            time = Time::midnight();
        }
        None
    }

    fn fits_day(&self, date: Date) -> bool {
        let day = self.day.has(date.day());
        let weekday = self.weekday.has(date.weekday().to_sunday_zero_offset());
        if self.is_either_day() {
            day || weekday
        } else {
            day && weekday
        }
    }

    /// The first time of the day that is `from` or later and fits.
    fn time_at_or_after(&self, from: Time) -> Option<Time> {
        let hour = self.hour.at_least(from.hour())?;
        if hour > from.hour() {
            return self.first_in(hour);
        }
        let minute = self.minute.at_least(from.minute());
        if minute == Some(from.minute())
            && let Some(second) = self.second.at_least(from.second())
        {
            return Time::new(hour, from.minute(), second, 0).ok();
        }
        match self.minute.at_least(from.minute() + 1) {
            Some(minute) => Time::new(hour, minute, self.second.at_least(0)?, 0).ok(),
            None => self.first_in(self.hour.at_least(hour + 1)?),
        }
    }

    fn first_in(&self, hour: i8) -> Option<Time> {
        let (minute, second) = (self.minute.at_least(0)?, self.second.at_least(0)?);
        Time::new(hour, minute, second, 0).ok()
    }
}

/// The expression that a name stands for; others as they are.
fn spelled_out(text: &str) -> Result<String, CronError> {
    if !text.starts_with('@') {
        return Ok(text.to_owned());
    }
    let lower = text.to_ascii_lowercase();
    match NAMED.iter().find(|(name, _)| *name == lower) {
        Some((_, spelled)) => Ok((*spelled).to_owned()),
        None => {
            let known: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
            Err(CronError::new(format!(
                "{text:?} is no name of an expression; there are {}",
                known.join(", ")
            )))
        }
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn next(cron: &str, from: &str) -> Option<String> {
        let found = Cron::parse(cron)
            .unwrap()
            .at_or_after(from.parse().unwrap());
        found.map(|found| found.to_string())
    }

    #[test]
    fn the_next_time_is_found() {
        for (cron, from, expected) in [
            ("* * * * *", "2024-01-01T00:00:00", "2024-01-01T00:00:00"),
            ("* * * * *", "2024-01-01T00:00:00.5", "2024-01-01T00:01:00"),
            ("0 9 * * 1-5", "2024-06-07T09:00:01", "2024-06-10T09:00:00"),
            (
                "*/10 30 9 * * *",
                "2024-06-07T09:30:55",
                "2024-06-08T09:30:00",
            ),
            ("0 0 29 2 *", "2097-01-01T00:00:00", "2104-02-29T00:00:00"),
            // One of the two fits.
            ("0 0 13 * fri", "2024-09-02T00:00:00", "2024-09-06T00:00:00"),
            ("0 0 13 * fri", "2024-09-07T00:00:00", "2024-09-13T00:00:00"),
            // Both must fit, since one begins with a star.
            (
                "0 0 */2 * fri",
                "2024-09-02T00:00:00",
                "2024-09-13T00:00:00",
            ),
            ("0 0 30 2 mon", "2024-02-20T00:00:00", "2024-02-26T00:00:00"),
            ("@hourly", "2024-12-31T23:00:01", "2025-01-01T00:00:00"),
        ] {
            assert_eq!(next(cron, from).as_deref(), Some(expected), "{cron} {from}");
        }
        assert_eq!(next("0 0 1 1 *", "9999-01-01T00:00:01"), None);
        // The longest wait: a leap day that is a Sunday, over the year 2100 that has none.
        let sunday = next("0 0 29 2 */7", "2088-03-01T00:00:00").unwrap();
        assert_eq!(sunday, "2128-02-29T00:00:00");
    }

    #[test]
    fn what_never_fits_or_is_no_expression_is_refused() {
        for (text, what) in [
            ("", "0 fields"),
            ("* * * *", "4 fields"),
            ("* * * * * * *", "7 fields"),
            ("0 0 30 2 *", "never fits"),
            ("0 0 31 4,6,9,11 */2", "never fits"),
            ("0 25 * * *", "the field hour"),
            ("@reboot", "@yearly"),
            ("@every 5m", "is no name"),
        ] {
            let error = Cron::parse(text).unwrap_err().to_string();
            assert!(error.contains(what), "{text}: {error}");
        }
    }

    /// A field of an expression within these values.
    fn field(min: u8, max: u8) -> impl Strategy<Value = String> {
        let value = min..=max;
        prop_oneof![
            4 => Just("*".to_owned()),
            2 => value.clone().prop_map(|v| v.to_string()),
            2 => (value.clone(), value.clone())
                .prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
            2 => (1..=max).prop_map(|step| format!("*/{step}")),
            1 => (value.clone(), 1..=max).prop_map(|(a, step)| format!("{a}/{step}")),
            1 => proptest::collection::vec(value, 1..4).prop_map(|all| {
                all.iter().map(u8::to_string).collect::<Vec<_>>().join(",")
            }),
        ]
    }

    proptest! {
        /// By brute force over the minutes of some days: nothing is left out, and nothing is too much.
        #[test]
        fn the_next_time_is_that_of_a_search_minute_by_minute(
            minute in field(0, 59),
            hour in field(0, 23),
            day in field(1, 31),
            weekday in field(0, 6),
            start in 0_i64..2_000_000,
        ) {
            let cron = Cron::parse(&format!("{minute} {hour} {day} * {weekday}"))?;
            let start = jiff::civil::date(2023, 1, 1).at(0, 0, 0, 0) + jiff::Span::new().minutes(start);
            let fits = |at: &DateTime| {
                cron.minute.has(at.minute()) && cron.hour.has(at.hour()) && cron.fits_day(at.date())
            };
            let found = cron.at_or_after(start);
            let searched = (0..3000)
                .map(|minutes| start + jiff::Span::new().minutes(minutes))
                .find(fits);
            match searched {
                Some(_) => prop_assert_eq!(found, searched),
                None => prop_assert!(
                    found.is_some_and(|found| fits(&found) && found > start + jiff::Span::new().minutes(2999))
                ),
            }
        }
    }
}
