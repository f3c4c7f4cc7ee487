//! When reminders are due. Pure: a booking, the rules and the time go in.
//!
//! 1. A reminder is due its offset before the start. Who is reminded an hour before is reminded an hour before, whatever
//!    the clock on the wall does in between.
//! 2. What was due before this start became known is not made up for: who books a lesson that begins in two hours is not
//!    reminded of it a day ahead. Nor is what a later version of the booking asks for when its time has passed.
//! 3. One that was missed is still sent within half its offset, or within 90 s where that is more, and before the start. Of
//!    several that are due at the same look only the last one is: nobody needs two reminders in one minute.
//! 4. Only a booking that is to take place has reminders.

use std::time::Duration;

use jiff::Timestamp;
use job::clock::{after, before};
use store::{Booking, BookingStatus};

/// So late a reminder may always be: a scan comes each minute, and takes a moment.
const SCANNED_WITHIN: Duration = Duration::from_secs(90);

/// A reminder of a booking, for both parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// When it is due.
    pub at: Timestamp,
    /// How long before the start.
    pub offset: Duration,
    /// Whether it was due before the start, or the wish to be reminded then, became known, and so is not sent.
    pub skipped: bool,
}

impl Due {
    /// The offset as it stands in keys and as people read it: `24h`, `90m`, `45s`.
    #[must_use]
    pub fn label(&self) -> String {
        let seconds = self.offset.as_secs();
        match seconds {
            s if s > 0 && s.is_multiple_of(3600) => format!("{}h", s / 3600),
            s if s > 0 && s.is_multiple_of(60) => format!("{}m", s / 60),
            s => format!("{s}s"),
        }
    }

    /// The first moment at which it is too late: half its offset later, 90 s where that is less; never after the start.
    #[must_use]
    pub fn late_from(&self) -> Timestamp {
        after(self.at, (self.offset / 2).max(SCANNED_WITHIN).min(self.offset))
    }
}

/// All reminders of a booking that are or were to be sent for its start, the earliest first; none for one that does not
/// take place.
#[must_use]
pub fn of(booking: &Booking, defaults: &[Duration]) -> Vec<Due> {
    if booking.status != BookingStatus::Confirmed {
        return Vec::new();
    }
    for_start(booking, defaults)
}

/// The same, whatever became of the booking.
#[must_use]
pub fn for_start(booking: &Booking, defaults: &[Duration]) -> Vec<Due> {
    let own = booking.reminders.as_ref().map(|texts| {
        // What does not read was refused at the edge.
        texts.iter().filter_map(|text| job::duration::parse(text).ok()).collect::<Vec<_>>()
    });
    let offsets = own.as_deref().unwrap_or(defaults);
    let mut all: Vec<Due> = offsets
        .iter()
        .map(|offset| {
            let at = before(booking.starts_at, *offset);
            let over = booking.reminders_from.is_some_and(|from| at < from);
            Due { at, offset: *offset, skipped: at <= booking.start_known_at || over }
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// When a booking is to be looked at for the first time.
#[must_use]
pub fn first(booking: &Booking, defaults: &[Duration]) -> Option<Timestamp> {
    of(booking, defaults).into_iter().find(|due| !due.skipped).map(|due| due.at)
}

/// When it is to be looked at again, after a look at `now`.
#[must_use]
pub fn next(booking: &Booking, defaults: &[Duration], now: Timestamp) -> Option<Timestamp> {
    of(booking, defaults).into_iter().find(|due| !due.skipped && due.at > now).map(|due| due.at)
}

/// The reminder to send at a look at `now`.
#[must_use]
pub fn due(booking: &Booking, defaults: &[Duration], now: Timestamp) -> Option<Due> {
    let last = of(booking, defaults).into_iter().rfind(|due| !due.skipped && due.at <= now)?;
    (now < last.late_from() && now < booking.starts_at).then_some(last)
}

#[cfg(test)]
mod tests {
    use job::clock::from_ms;
    use proptest::prelude::*;
    use store::Party;

    use super::*;

    const HOUR: i64 = 3_600_000;
    const DEFAULTS: [Duration; 2] = [Duration::from_secs(24 * 3600), Duration::from_secs(3600)];

    fn hours(hours: i64) -> Timestamp {
        from_ms(1_796_000_400_000 + hours * HOUR)
    }

    /// A lesson at hour 0 that became known at `known`.
    fn booking(known: Timestamp) -> Booking {
        let party = |id: &str| Party {
            id: id.to_owned(),
            name: id.to_owned(),
            email: format!("{id}@people.test"),
            timezone: "Europe/Berlin".to_owned(),
            locale: None,
        };
        Booking {
            id: "bk_1".to_owned(),
            version: 1,
            moves: 0,
            sequence: 0,
            status: BookingStatus::Confirmed,
            service: "Piano".to_owned(),
            starts_at: hours(0),
            duration_minutes: 60,
            location: None,
            url: None,
            price: None,
            student: party("student"),
            instructor: party("instructor"),
            reason: None,
            cancelled_by: None,
            reminders: None,
            updated_at: known,
            start_known_at: known,
            previous_starts_at: None,
            next_reminder_at: None,
            reminders_from: None,
        }
    }

    fn label(due: Option<Due>) -> Option<String> {
        due.map(|due| due.label())
    }

    #[test]
    fn a_day_and_an_hour_before() {
        let booking = booking(hours(-100));
        assert_eq!(first(&booking, &DEFAULTS), Some(hours(-24)));
        assert_eq!(due(&booking, &DEFAULTS, from_ms(hours(-24).as_millisecond() - 1)), None, "never early");
        assert_eq!(label(due(&booking, &DEFAULTS, hours(-24))).as_deref(), Some("24h"));
        assert_eq!(next(&booking, &DEFAULTS, hours(-24)), Some(hours(-1)));
        assert_eq!(label(due(&booking, &DEFAULTS, hours(-1))).as_deref(), Some("1h"));
        assert_eq!(next(&booking, &DEFAULTS, hours(-1)), None);
        assert_eq!(due(&booking, &DEFAULTS, hours(0)), None, "never after the start");
    }

    #[test]
    fn a_booking_made_inside_the_window_is_not_reminded_at_once() {
        let made = booking(hours(-2));
        assert_eq!(first(&made, &DEFAULTS), Some(hours(-1)));
        assert_eq!(due(&made, &DEFAULTS, hours(-2)), None);
        assert_eq!(label(due(&made, &DEFAULTS, hours(-1))).as_deref(), Some("1h"));
        let late = booking(from_ms(hours(0).as_millisecond() - 600_000));
        assert_eq!(first(&late, &DEFAULTS), None);
        let just = booking(hours(-24));
        assert_eq!(first(&just, &DEFAULTS), Some(hours(-1)), "made the moment it was due");
    }

    #[test]
    fn what_a_later_version_asks_for_too_late_is_not_sent_at_once() {
        let asked = |from| Booking {
            reminders: Some(vec!["3h".to_owned(), "1h".to_owned()]),
            reminders_from: from,
            ..booking(hours(-100))
        };
        assert_eq!(first(&asked(Some(hours(-2))), &DEFAULTS), Some(hours(-1)));
        assert_eq!(due(&asked(Some(hours(-2))), &DEFAULTS, hours(-2)), None);
        assert_eq!(label(due(&asked(Some(hours(-3))), &DEFAULTS, hours(-2))).as_deref(), Some("3h"), "it was to come");
    }

    #[test]
    fn a_missed_reminder_is_sent_within_half_its_offset() {
        let booking = booking(hours(-100));
        assert_eq!(label(due(&booking, &DEFAULTS, hours(-13))).as_deref(), Some("24h"));
        assert_eq!(due(&booking, &DEFAULTS, hours(-12)), None);
        assert_eq!(due(&booking, &DEFAULTS, from_ms(hours(0).as_millisecond() - HOUR / 2)), None);
    }

    #[test]
    fn a_reminder_of_a_minute_or_two_is_not_missed_by_a_scan_each_minute() {
        for (text, seconds) in [("60s", 60), ("90s", 90), ("2m", 90), ("3m", 90), ("4m", 120)] {
            let booking = Booking { reminders: Some(vec![text.to_owned()]), ..booking(hours(-100)) };
            let only = of(&booking, &DEFAULTS)[0];
            assert_eq!(only.late_from(), after(only.at, Duration::from_secs(seconds)), "{text}");
            assert!(only.late_from() <= booking.starts_at);
            // The scan that comes last, and is a little late itself.
            assert_eq!(due(&booking, &DEFAULTS, after(only.at, Duration::from_millis(59_999))), Some(only), "{text}");
        }
    }

    #[test]
    fn of_two_that_are_due_at_one_look_the_last_one_is_sent() {
        let mut booking = booking(hours(-100));
        booking.reminders = Some(vec!["3h".to_owned(), "2h".to_owned()]);
        let at = from_ms(hours(-2).as_millisecond() + 60_000);
        assert_eq!(label(due(&booking, &DEFAULTS, at)).as_deref(), Some("2h"));
    }

    #[test]
    fn the_hour_is_not_swallowed_by_the_day() {
        let booking = booking(hours(-25));
        let mut sent = Vec::new();
        let mut look = first(&booking, &DEFAULTS);
        while let Some(now) = look {
            sent.extend(label(due(&booking, &DEFAULTS, now)));
            look = next(&booking, &DEFAULTS, now);
        }
        assert_eq!(sent, ["24h", "1h"]);
    }

    #[test]
    fn own_offsets_replace_those_of_the_platform_and_an_empty_list_is_silence() {
        let mut booking = booking(hours(-100));
        booking.reminders = Some(vec!["90m".to_owned(), "7d".to_owned(), "45s".to_owned()]);
        let labels: Vec<String> = of(&booking, &DEFAULTS).iter().map(Due::label).collect();
        assert_eq!(labels, ["168h", "90m", "45s"]);
        booking.reminders = Some(Vec::new());
        assert_eq!(first(&booking, &DEFAULTS), None);
    }

    #[test]
    fn a_lesson_that_does_not_take_place_has_no_reminders() {
        for status in [BookingStatus::Cancelled, BookingStatus::Completed, BookingStatus::NoShow] {
            let ended = Booking { status, ..booking(hours(-100)) };
            assert_eq!((first(&ended, &DEFAULTS), due(&ended, &DEFAULTS, hours(-24))), (None, None));
        }
    }

    proptest! {
        /// Whenever the scan happens to look, each reminder is sent at most once, never early, never too late, and none is
        /// missed by a scan that looks often enough.
        #[test]
        fn however_often_the_scan_looks(
            known in -200_i64..0,
            offsets in prop::collection::btree_set(1_u64..72 * 60, 0..5),
            gaps in prop::collection::vec(1_i64..40, 1..400),
        ) {
            let mut booking = booking(from_ms(hours(0).as_millisecond() + known * HOUR / 2));
            booking.reminders = Some(offsets.iter().map(|minutes| format!("{minutes}m")).collect());
            let (mut now, mut look) = (booking.start_known_at, first(&booking, &DEFAULTS));
            let mut sent = Vec::new();
            for gap in gaps {
                now = from_ms(now.as_millisecond() + gap * 60_000);
                if look.is_some_and(|at| at <= now) {
                    if let Some(due) = due(&booking, &DEFAULTS, now) {
                        prop_assert!(due.at <= now && now < due.late_from() && now < booking.starts_at);
                        prop_assert!(!due.skipped && due.at > booking.start_known_at);
                        prop_assert!(!sent.contains(&due.offset), "{:?} twice", due.offset);
                        sent.push(due.offset);
                    }
                    look = next(&booking, &DEFAULTS, now);
                }
            }
        }

        #[test]
        fn a_scan_each_minute_misses_none_that_is_a_minute_from_the_next(
            hours_known in 1_i64..80,
            offsets in prop::collection::btree_set((2_u64..30 * 60).prop_map(|m| m * 2), 1..5),
        ) {
            let mut booking = booking(hours(-hours_known));
            booking.reminders = Some(offsets.iter().map(|minutes| format!("{minutes}m")).collect());
            let expected: Vec<Duration> =
                of(&booking, &DEFAULTS).iter().filter(|due| !due.skipped).map(|due| due.offset).collect();
            let (mut now, mut sent) = (booking.start_known_at, Vec::new());
            while now < booking.starts_at {
                sent.extend(due(&booking, &DEFAULTS, now).map(|due| due.offset).filter(|offset| !sent.contains(offset)));
                now = after(now, Duration::from_secs(60));
            }
            prop_assert_eq!(sent, expected);
        }
    }
}
