//! From local times to instants, over every change of the clocks.
//!
//! Between two changes a zone's offset is constant, so local times and instants correspond one to one. The walk goes from
//! one such stretch to the next:
//!
//! 1. Within a stretch the next local time that matches is the next instant.
//! 2. Clocks forward: local times of the gap are in no stretch. Those of *times* (`0 2 * * *`) fire together, once, at the
//!    first instant after the gap; those of *intervals* (`*/15 * * * *`) do not exist and are not made up for.
//! 3. Clocks back: the stretch begins with local times that were there before. *Times* have fired and wait until the
//!    clocks show something new; *intervals* go on at their pace and fire again.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::local::LocalTimes;

/// How far ahead is looked: every day of a leap year comes again within 40 years on every weekday.
const HORIZON: SignedDuration = SignedDuration::from_hours(41 * 366 * 24);

/// What a local time means where clocks change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Each local time once, whatever the clocks do.
    Times,
    /// As often as the clocks show it.
    Intervals,
}

/// The first instant after `after`, within the horizon.
pub(crate) fn next(local: &LocalTimes, pace: Pace, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    let mut at = Timestamp::from_second(after.as_millisecond().div_euclid(1_000).checked_add(1)?).ok()?;
    let end = at.checked_add(HORIZON).unwrap_or(Timestamp::MAX);
    while at < end {
        let stretch = Stretch::around(zone, at, end);
        if let Some(found) = stretch.next(local, pace, zone, at) {
            return Some(found);
        }
        at = stretch.until;
    }
    None
}

/// A time without a change of the clocks.
struct Stretch {
    offset: Offset,
    /// Its end: the next change, or the horizon.
    until: Timestamp,
}

impl Stretch {
    fn around(zone: &TimeZone, at: Timestamp, end: Timestamp) -> Self {
        let until = zone.following(at).next().map_or(end, |change| change.timestamp().min(end));
        Self { offset: zone.to_offset(at), until }
    }

    fn next(&self, local: &LocalTimes, pace: Pace, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
        let mut from = self.offset.to_datetime(at);
        if pace == Pace::Times
            && let Some((began, shown_before)) = change_before(zone, at)
        {
            let shown_after = self.offset.to_datetime(began);
            // The gap: what nobody could see on the clock fires when the clock goes on.
            if began == at && shown_before < shown_after && local.next(shown_before, shown_after).is_some() {
                return Some(at);
            }
            // The fold: what the clock shows a second time has fired.
            from = from.max(shown_before);
        }
        let found = local.next(from, self.offset.to_datetime(self.until))?;
        self.offset.to_timestamp(found).ok()
    }
}

/// The last change of the clocks up to `at`, and the local time that the clocks would have gone on with.
fn change_before(zone: &TimeZone, at: Timestamp) -> Option<(Timestamp, DateTime)> {
    let just_after = at.checked_add(SignedDuration::from_secs(1)).ok()?;
    let began = zone.preceding(just_after).next()?.timestamp();
    let before = zone.to_offset(began.checked_sub(SignedDuration::from_secs(1)).ok()?);
    Some((began, before.to_datetime(began)))
}
