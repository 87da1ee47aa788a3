//! Timetables: a rule with its bounds, and the firings that follow from it.

use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};

use super::cron::Cron;
use super::dst::{Dst, DstMark, Zone};
use super::error::{InvalidZone, TimetableError};
use super::firing;

/// Longest interval, in seconds.
const MAX_INTERVAL: u64 = 10 * 365 * 24 * 3600;

/// Shortest interval. Each firing is a batch of the server's, some 2 ms of work on one disk.
const MIN_INTERVAL: Duration = Duration::from_millis(50);

/// The rule of a timetable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::schedule) enum Rule {
    Cron {
        cron: Cron,
        zone: Zone,
        dst: Dst,
    },
    /// Milliseconds between two firings, and the instant from which they are counted, which does not fire itself.
    Every {
        millis: i64,
        anchor: Timestamp,
    },
}

/// When something happens again and again. Pure: the same timetable has the same firings everywhere.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use naq_jobs::Timetable;
///
/// let table = Timetable::cron("0 9 * * *")?.zone("Europe/Amsterdam")?;
/// let first = table.firings_after(UNIX_EPOCH).next().unwrap();
/// assert_eq!(first.time(), UNIX_EPOCH + Duration::from_secs(8 * 3600));
/// # Ok::<(), naq_jobs::TimetableError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timetable {
    pub(in crate::schedule) rule: Rule,
    pub(in crate::schedule) start: Option<Timestamp>,
    pub(in crate::schedule) end: Option<Timestamp>,
}

/// One instant of a timetable: whole seconds, or milliseconds if its interval is below one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Firing {
    pub(in crate::schedule) at: Timestamp,
    mark: DstMark,
}

/// The firings of a timetable, each later than the one before.
#[derive(Debug, Clone)]
pub struct Firings<'a> {
    table: &'a Timetable,
    after: Option<Timestamp>,
}

impl Firing {
    /// When.
    pub fn time(&self) -> SystemTime {
        self.at.into()
    }

    /// What a change of the clocks did to it.
    pub fn mark(&self) -> DstMark {
        self.mark
    }
}

impl Timetable {
    /// At the times that fit a cron expression; in UTC unless [`Self::zone`] says otherwise.
    ///
    /// # Errors
    /// [`TimetableError::Cron`]. A retry does not help.
    pub fn cron(text: &str) -> Result<Self, TimetableError> {
        Ok(Self::of(Rule::Cron {
            cron: Cron::parse(text)?,
            zone: Zone::utc(),
            dst: Dst::default(),
        }))
    }

    /// Each `interval`, counted from `anchor`, which does not fire itself.
    ///
    /// # Errors
    /// [`TimetableError::Interval`] unless it is whole seconds, from 1 second to 10 years, or below one second whole
    /// milliseconds, from 50 on; [`TimetableError::Time`].
    pub fn every(interval: Duration, anchor: SystemTime) -> Result<Self, TimetableError> {
        let is_whole = match interval.as_secs() {
            0 => interval.subsec_nanos() % 1_000_000 == 0 && interval >= MIN_INTERVAL,
            seconds => interval.subsec_nanos() == 0 && seconds <= MAX_INTERVAL,
        };
        let millis = i64::try_from(interval.as_millis()).ok();
        let Some(millis) = millis.filter(|_| is_whole) else {
            return Err(TimetableError::Interval(interval));
        };
        let anchor = whole_second("anchor", anchor)?;
        Ok(Self::of(Rule::Every { millis, anchor }))
    }

    pub(in crate::schedule) fn of(rule: Rule) -> Self {
        Self {
            rule,
            start: None,
            end: None,
        }
    }

    /// The time zone of a cron expression; an interval has none.
    ///
    /// # Errors
    /// [`InvalidZone`]. A retry does not help.
    pub fn zone(mut self, name: &str) -> Result<Self, InvalidZone> {
        let wanted = Zone::new(name)?;
        if let Rule::Cron { zone, .. } = &mut self.rule {
            *zone = wanted;
        }
        Ok(self)
    }

    /// What happens when the clocks change; default [`Dst::Once`].
    #[must_use]
    pub fn dst(mut self, wanted: Dst) -> Self {
        if let Rule::Cron { dst, .. } = &mut self.rule {
            *dst = wanted;
        }
        self
    }

    /// No firing before this time.
    ///
    /// # Errors
    /// [`TimetableError::Time`].
    pub fn start(mut self, time: SystemTime) -> Result<Self, TimetableError> {
        self.start = Some(whole_second("start", time)?);
        Ok(self)
    }

    /// Counts an interval from its start, so that the start is its first firing.
    pub(in crate::schedule) fn counted_from_start(mut self) -> Self {
        if let (Rule::Every { millis, anchor }, Some(start)) = (&mut self.rule, self.start) {
            // The anchor is a whole second; a short interval begins within one after its start.
            let whole = (*millis).max(1000);
            let before = start.checked_sub(SignedDuration::from_millis(whole));
            *anchor = before.unwrap_or(start);
        }
        self
    }

    /// No firing after this time.
    ///
    /// # Errors
    /// [`TimetableError::Time`].
    pub fn end(mut self, time: SystemTime) -> Result<Self, TimetableError> {
        let end = timestamp("end", time)?;
        self.end = Some(end);
        Ok(self)
    }

    /// The firings after `time`.
    pub fn firings_after(&self, time: SystemTime) -> Firings<'_> {
        Firings {
            table: self,
            after: Timestamp::try_from(time).ok(),
        }
    }

    /// The first firing after `after`.
    pub(in crate::schedule) fn next_after(&self, after: Timestamp) -> Option<Firing> {
        let just_before = |at: Timestamp| at.checked_sub(SignedDuration::from_nanos(1)).ok();
        let after = self
            .start
            .and_then(just_before)
            .map_or(after, |s| s.max(after));
        let (at, mark) = match &self.rule {
            Rule::Cron { cron, zone, dst } => firing::next(cron, &zone.zone, *dst, after)?,
            Rule::Every { millis, anchor } => {
                let passed = after.max(*anchor).as_millisecond() - anchor.as_millisecond();
                let rounds = passed / millis + 1;
                let span = SignedDuration::from_millis(rounds.checked_mul(*millis)?);
                (anchor.checked_add(span).ok()?, DstMark::None)
            }
        };
        let is_over = self.end.is_some_and(|end| at > end);
        (!is_over).then_some(Firing { at, mark })
    }
}

impl<'a> Firings<'a> {
    /// Those of `table` after `after`; without an instant there are none.
    pub(in crate::schedule) fn after(table: &'a Timetable, after: Option<Timestamp>) -> Self {
        Self { table, after }
    }
}

impl Iterator for Firings<'_> {
    type Item = Firing;

    fn next(&mut self) -> Option<Firing> {
        let found = self.table.next_after(self.after?);
        self.after = found.map(|firing| firing.at);
        found
    }
}

/// The whole second at `time` or the next one.
fn whole_second(what: &'static str, time: SystemTime) -> Result<Timestamp, TimetableError> {
    let exact = timestamp(what, time)?;
    let up = i64::from(exact.subsec_nanosecond() > 0);
    Timestamp::from_second(exact.as_second() + up).map_err(|_| TimetableError::Time(what))
}

fn timestamp(what: &'static str, time: SystemTime) -> Result<Timestamp, TimetableError> {
    Timestamp::try_from(time)
        .ok()
        .filter(|at| *at >= Timestamp::UNIX_EPOCH)
        .ok_or(TimetableError::Time(what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The first `count` firings of `cron` in `zone` after `from`, in UTC.
    fn firings(
        cron: &str,
        zone: &str,
        dst: Dst,
        from: &str,
        count: usize,
    ) -> Vec<(String, DstMark)> {
        let table = Timetable::cron(cron).unwrap().zone(zone).unwrap().dst(dst);
        let all = table.firings_after(at(from).into());
        all.take(count)
            .map(|firing| (firing.at.to_string(), firing.mark))
            .collect()
    }

    fn only(found: Vec<(String, DstMark)>) -> (String, DstMark) {
        found.into_iter().next().unwrap()
    }

    #[test]
    fn a_time_in_a_gap_fires_at_its_end_or_not_at_all() {
        // Amsterdam, 2024-03-31: 02:00 becomes 03:00 at 01:00 UTC.
        let next = |dst| {
            only(firings(
                "30 2 * * *",
                "Europe/Amsterdam",
                dst,
                "2024-03-30T12:00:00Z",
                1,
            ))
        };
        assert_eq!(
            next(Dst::Once),
            ("2024-03-31T01:00:00Z".into(), DstMark::MadeUp)
        );
        assert_eq!(
            next(Dst::Twice),
            ("2024-03-31T01:00:00Z".into(), DstMark::MadeUp)
        );
        assert_eq!(
            next(Dst::Skip),
            ("2024-04-01T00:30:00Z".into(), DstMark::None)
        );
        // Many times in one gap are one firing, and no second one when 3 o'clock is meant as well.
        let found = firings(
            "*/7 2,3 * * *",
            "Europe/Amsterdam",
            Dst::Once,
            "2024-03-30T22:00:00Z",
            2,
        );
        assert_eq!(found[0], ("2024-03-31T01:00:00Z".into(), DstMark::MadeUp));
        assert_eq!(found[1], ("2024-03-31T01:07:00Z".into(), DstMark::None));
    }

    #[test]
    fn a_gap_at_midnight_belongs_to_its_day() {
        // Beirut, 2022-03-27: 00:00 becomes 01:00; Sao Paulo, 2018-11-04; Asuncion, 2024-10-06; Cairo, 2023-04-28.
        for (zone, eve, change) in [
            (
                "Asia/Beirut",
                "2022-03-26T12:00:00Z",
                "2022-03-26T22:00:00Z",
            ),
            (
                "America/Sao_Paulo",
                "2018-11-03T12:00:00Z",
                "2018-11-04T03:00:00Z",
            ),
            (
                "Africa/Cairo",
                "2023-04-27T12:00:00Z",
                "2023-04-27T22:00:00Z",
            ),
        ] {
            for cron in ["0 0 * * *", "30 0 * * *", "@daily"] {
                let next = |dst| only(firings(cron, zone, dst, eve, 1));
                assert_eq!(
                    next(Dst::Once),
                    (change.into(), DstMark::MadeUp),
                    "{zone} {cron}"
                );
                assert!(next(Dst::Skip).0.as_str() > change, "{zone} {cron}");
            }
        }
        // Samoa had no 30th of December 2011 at all.
        let found = firings(
            "0 9 30 12 *",
            "Pacific/Apia",
            Dst::Once,
            "2011-12-01T00:00:00Z",
            2,
        );
        assert_eq!(found[0], ("2011-12-30T10:00:00Z".into(), DstMark::MadeUp));
        assert_eq!(found[1].0, "2012-12-29T19:00:00Z");
    }

    #[test]
    fn a_time_in_a_fold_fires_in_the_first_pass_or_in_both() {
        // New York, 2024-11-03: 02:00 becomes 01:00 at 06:00 UTC.
        let from = "2024-11-02T12:00:00Z";
        let first = ("2024-11-03T05:30:00Z".to_owned(), DstMark::FirstPass);
        for dst in [Dst::Skip, Dst::Once] {
            let found = firings("30 1 * * *", "America/New_York", dst, from, 2);
            assert_eq!(found[0], first);
            assert_eq!(found[1].0, "2024-11-04T06:30:00Z");
        }
        let found = firings("30 1 * * *", "America/New_York", Dst::Twice, from, 2);
        assert_eq!(found[0], first);
        assert_eq!(
            found[1],
            ("2024-11-03T06:30:00Z".into(), DstMark::SecondPass)
        );
    }

    #[test]
    fn a_schedule_of_every_hour_goes_on_through_changes() {
        for dst in [Dst::Skip, Dst::Once, Dst::Twice] {
            for from in ["2024-03-30T23:55:00Z", "2024-10-26T23:55:00Z"] {
                let table = Timetable::cron("*/10 * * * *").unwrap();
                let table = table.zone("Europe/Amsterdam").unwrap().dst(dst);
                let times: Vec<_> = table.firings_after(at(from).into()).take(30).collect();
                let steady = times
                    .windows(2)
                    .all(|two| two[1].at - two[0].at == jiff::Span::new().seconds(600).fieldwise());
                assert!(steady, "{dst} {from}: {times:?}");
            }
        }
    }

    #[test]
    fn start_end_and_interval_bound_the_firings() {
        let anchor = at("2024-01-01T00:00:00Z");
        let table = Timetable::every(Duration::from_secs(90), anchor.into()).unwrap();
        let seconds = |table: &Timetable, after: Timestamp| {
            let all = table.firings_after(after.into()).take(3);
            all.map(|f| f.at.as_second() - anchor.as_second())
                .collect::<Vec<_>>()
        };
        assert_eq!(seconds(&table, anchor), [90, 180, 270]);
        assert_eq!(seconds(&table, at("2023-01-01T00:00:00Z")), [90, 180, 270]);
        assert_eq!(seconds(&table, at("2024-01-01T00:01:30Z")), [180, 270, 360]);
        let bounded = table
            .clone()
            .start(at("2024-01-01T00:03:00Z").into())
            .unwrap();
        let bounded = bounded.end(at("2024-01-01T00:04:30Z").into()).unwrap();
        assert_eq!(seconds(&bounded, anchor), [180, 270]);
        for wrong in [
            Duration::ZERO,
            Duration::from_millis(49),
            Duration::from_micros(100_500),
            Duration::from_millis(1500),
            Duration::from_secs(u64::MAX),
        ] {
            assert!(Timetable::every(wrong, anchor.into()).is_err(), "{wrong:?}");
        }
        assert!(
            Timetable::cron("* * * * *")
                .unwrap()
                .start(SystemTime::UNIX_EPOCH - Duration::from_secs(1))
                .is_err()
        );
    }

    proptest! {
        /// Whatever the zone and the policy: later and later, on times that fit, and `Twice` leaves out none of `Once`.
        #[test]
        fn firings_grow_and_policies_contain_one_another(
            zone in prop::sample::select(vec![
                "UTC", "Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "Pacific/Apia",
                "Africa/Casablanca", "America/Sao_Paulo", "Asia/Kathmandu", "Antarctica/Troll", "America/Santiago",
            ]),
            cron in prop::sample::select(vec![
                "0 0 * * *", "30 2 * * *", "*/15 0-3 * * *", "15 1,2 * * sun", "@hourly", "45 23 * 3,4,10,11 *",
            ]),
            start in 946_684_800_i64..1_735_689_600,
        ) {
            let start = Timestamp::from_second(start).unwrap();
            let of = |dst| {
                let table = Timetable::cron(cron).unwrap().zone(zone).unwrap().dst(dst);
                let end = start.checked_add(SignedDuration::from_hours(24 * 200)).unwrap();
                let all: Vec<_> = table.firings_after(start.into()).take_while(|f| f.at < end).collect();
                all
            };
            let (skip, once, twice) = (of(Dst::Skip), of(Dst::Once), of(Dst::Twice));
            for all in [&skip, &once, &twice] {
                prop_assert!(all.windows(2).all(|two| two[0].at < two[1].at));
                prop_assert!(all.first().is_none_or(|first| first.at > start));
            }
            let times = |all: &[Firing]| all.iter().map(|f| f.at).collect::<std::collections::BTreeSet<_>>();
            prop_assert!(times(&skip).is_subset(&times(&once)));
            prop_assert!(times(&once).is_subset(&times(&twice)));
        }
    }
}
