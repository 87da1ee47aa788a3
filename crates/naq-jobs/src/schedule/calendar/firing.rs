//! From local times to instants: time zones, and what happens when their clocks change.
//!
//! A clock change makes local times that do not exist (a *gap*, in spring) and local times that exist twice (a *fold*,
//! in autumn). The search walks over the spans of time in which the zone's offset stays the same:
//!
//! ```text
//!   in a span ── the next local time that fits is in it ──► fires (in the second pass of a fold: `Twice` only)
//!       │
//!       └── it is not: go to the change ── a time that fits was in the gap ──► fires at the change (not with `Skip`)
//!                                       └── none was ──► in the next span
//! ```

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::cron::Cron;
use super::dst::{Dst, DstMark};

/// Clock changes that one search may look at. It jumps over long spans, so a handful is the rule.
const MAX_CHANGES: usize = 1000;

/// Longer than any difference between two offsets of a zone.
const FAR: SignedDuration = SignedDuration::from_hours(72);

/// The first firing after `after`.
pub(super) fn next(
    cron: &Cron,
    zone: &TimeZone,
    dst: Dst,
    after: Timestamp,
) -> Option<(Timestamp, DstMark)> {
    // A schedule of every hour is one of spans of time: nothing of it is lost in a gap, and a fold is an hour more.
    let is_elapsed = cron.is_every_hour();
    let mut at = whole_second_after(after)?;
    for _ in 0..MAX_CHANGES {
        let offset = zone.to_offset(at);
        let change = zone.following(at).next();
        let found = cron.at_or_after(offset.to_datetime(at))?;
        let instant = offset.to_timestamp(found).ok()?;
        let Some(change) = change.filter(|change| instant >= change.timestamp()) else {
            let mark = pass(zone, found, offset);
            if mark == DstMark::SecondPass && dst != Dst::Twice && !is_elapsed {
                at = end_of_fold(zone, instant)?;
                continue;
            }
            return Some((instant, mark));
        };
        let near = instant.checked_sub(FAR).ok()?;
        if near > change.timestamp() {
            at = near;
            continue;
        }
        let changed = change.timestamp();
        let gap_ends = change.offset().to_datetime(changed);
        if found < gap_ends && dst != Dst::Skip && !is_elapsed {
            return Some((changed, DstMark::MadeUp));
        }
        at = changed;
    }
    None
}

/// Which pass of a fold `local` is in, with `offset`.
fn pass(zone: &TimeZone, local: DateTime, offset: Offset) -> DstMark {
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Fold { after, .. } if after == offset => DstMark::SecondPass,
        AmbiguousOffset::Fold { .. } => DstMark::FirstPass,
        _ => DstMark::None,
    }
}

/// The end of the second pass that `instant` is in.
fn end_of_fold(zone: &TimeZone, instant: Timestamp) -> Option<Timestamp> {
    let next = instant.checked_add(SignedDuration::from_secs(1)).ok()?;
    let change = zone.preceding(next).next()?.timestamp();
    let before = zone.to_offset(change.checked_sub(SignedDuration::from_nanos(1)).ok()?);
    let turned_back = i64::from(before.seconds() - zone.to_offset(change).seconds());
    let end = change.checked_add(SignedDuration::from_secs(turned_back));
    // Whatever the zone is like, the search goes forward.
    Some(end.ok()?.max(next))
}

fn whole_second_after(after: Timestamp) -> Option<Timestamp> {
    Timestamp::from_second(after.as_second().checked_add(1)?)
        .ok()
        .map(|next| {
            // Before 1970 the second is rounded up already.
            let floor = next.checked_sub(SignedDuration::from_secs(1));
            match floor {
                Ok(floor) if floor > after => floor,
                _ => next,
            }
        })
}
