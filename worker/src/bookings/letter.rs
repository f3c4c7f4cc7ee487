//! A mail about a booking: what the template is filled with, the entry for the calendar, and until when it is worth sending.

use std::time::Duration;

use jiff::Timestamp;
use job::clock::after;
use mail::Locale;
use mail::calendar::{Invite, Method, Person, uid};
use serde_json::{Value, json};
use store::{Booking, BookingEvent, BookingEventKind, CancelledBy, Category, NewDelivery};
use uuid::Uuid;

use super::rules::SENDER;
use super::tellings::Telling;
use super::{BookingRules, Role};

/// How long news of a lesson that lies ahead is worth sending, at most and at least: of one that begins in a minute there
/// are still a few attempts.
const AHEAD_AT_MOST: Duration = Duration::from_secs(24 * 3600);
const AHEAD_AT_LEAST: Duration = Duration::from_secs(10 * 60);
/// How long after the event news of a lesson that has begun is.
const BEGUN: Duration = Duration::from_secs(3600);
/// How long after its time a request for a review is.
const REVIEW: Duration = Duration::from_secs(72 * 3600);

/// The mail of an event, under the id `id`, which is also its job's.
pub(super) fn of_event(
    rules: &BookingRules,
    event: &BookingEvent,
    booking: &Booking,
    telling: Telling,
    id: Uuid,
    now: Timestamp,
) -> NewDelivery {
    let role = telling.role;
    let mut data = data(booking, role);
    let told = |mail: NewDelivery, data: Value| NewDelivery { data, booking_version: Some(event.version), ..mail };
    let key = telling.key(&booking.id, event.version);
    // What changed without moving is confirmed as it is now: there is no new time to tell of.
    let still = event.event == BookingEventKind::Rescheduled && !moved(booking);
    let what = if still { "booking_confirmed" } else { telling.what };
    let mail = to(booking, role, key, format!("{what}_{role}"), id);
    match event.event {
        BookingEventKind::Completed if role == Role::Student => {
            let review = rules.review.as_ref();
            let due = after(event.received_at, review.map_or(Duration::ZERO, |review| review.delay));
            let quiet = rules.quiet_hours.and_then(|quiet| quiet.end(due.max(now), &role.of(booking).timezone));
            let send_at = quiet.unwrap_or(due);
            data["review_url"] = json!(review.and_then(|review| review.url_of(&booking.id)));
            NewDelivery {
                send_at: Some(send_at).filter(|at| *at > now),
                deadline: Some(after(send_at, REVIEW)),
                ..told(mail, data)
            }
        }
        BookingEventKind::Completed => {
            let deadline = Some(after(event.received_at, AHEAD_AT_MOST).max(after(now, AHEAD_AT_LEAST)));
            NewDelivery { deadline, ..told(mail, data) }
        }
        BookingEventKind::Cancelled => {
            data["reason"] = json!(booking.reason);
            data["cancelled_by"] = json!(booking.cancelled_by.unwrap_or(CancelledBy::Platform));
            let deadline = after(event.received_at, AHEAD_AT_MOST).max(after(now, AHEAD_AT_LEAST));
            let calendar = calendar(rules, booking, telling);
            NewDelivery { calendar, deadline: Some(deadline), ..told(mail, data) }
        }
        kind => {
            if kind == BookingEventKind::Rescheduled && !still {
                let before = booking.previous_starts_at.map(|start| when(start, booking, role));
                data["previous_when"] = json!(before);
            }
            let deadline = deadline(booking.starts_at, event.received_at, now);
            let calendar = calendar(rules, booking, telling);
            NewDelivery { calendar, deadline: Some(deadline), ..told(mail, data) }
        }
    }
}

/// A mail to one of the two, without its data.
pub(super) fn to(booking: &Booking, role: Role, key: String, template: String, id: Uuid) -> NewDelivery {
    let party = role.of(booking);
    NewDelivery {
        recipient_name: Some(party.name.clone()),
        locale: party.locale.clone(),
        booking_id: Some(booking.id.clone()),
        ..NewDelivery::new(id, key, Category::Booking, template, SENDER, party.email.as_str())
    }
}

/// What every template about a booking shows: times are told in the recipient's own zone.
pub(super) fn data(booking: &Booking, role: Role) -> Value {
    json!({
        "booking_id": booking.id,
        "service": booking.service,
        "when": when(booking.starts_at, booking, role),
        "duration_minutes": booking.duration_minutes,
        "location": booking.location,
        "url": booking.url,
        "price": booking.price.as_ref().map(|price| format!("{} {}", price.currency, price.amount)),
        "recipient": { "name": role.of(booking).name },
        "student": { "name": booking.student.name },
        "instructor": { "name": booking.instructor.name },
    })
}

fn when(start: Timestamp, booking: &Booking, role: Role) -> String {
    let duration = Duration::from_secs(u64::from(booking.duration_minutes) * 60);
    let (zone, locale) = (&role.of(booking).timezone, locale_of(booking, role));
    mail::when::describe(start, zone, duration, &locale)
        // The zone was checked at the edge; data from before a zone was dropped still says something true.
        .or_else(|_| mail::when::describe(start, "UTC", duration, &locale))
        .unwrap_or_else(|_| start.to_string())
}

/// The language of one of the two.
pub(super) fn locale_of(booking: &Booking, role: Role) -> Locale {
    Locale::or_english(role.of(booking).locale.as_deref())
}

/// Whether the version that is applied moved the start. The first that is known of a booking says so itself: what was
/// before it nobody knows.
fn moved(booking: &Booking) -> bool {
    booking.previous_starts_at.is_some() || booking.sequence == 0
}

/// The entry for the reader's calendar: the reader alone is named in it, for an entry shows every address.
fn calendar(rules: &BookingRules, booking: &Booking, telling: Telling) -> Option<Value> {
    let (method, organizer) = (telling.calendar?, rules.organizer.as_ref()?);
    let (reader, other) = match telling.role {
        Role::Student => (&booking.student, &booking.instructor),
        Role::Instructor => (&booking.instructor, &booking.student),
    };
    let invite = Invite {
        uid: uid(&booking.id, organizer.address.domain()),
        sequence: booking.sequence,
        method,
        starts_at: booking.starts_at,
        duration_minutes: booking.duration_minutes,
        summary: format!("{} · {}", booking.service, other.name),
        description: booking.reason.clone().filter(|_| method == Method::Cancel),
        location: booking.location.clone(),
        url: booking.url.clone(),
        organizer: organizer.clone(),
        attendees: vec![Person { name: Some(reader.name.clone()), address: reader.email.parse().ok()? }],
    };
    serde_json::to_value(invite).ok()
}

/// When the news is worth nothing any more.
///
/// - The lesson lies ahead: when it begins, but no later than 24 hours and no sooner than 10 minutes from now.
/// - It has begun, or is long over: an hour after the event was received. Who reports a booking that has begun gets its
///   confirmation; a confirmation that was kept waiting until the lesson was over is not sent a day later.
fn deadline(starts_at: Timestamp, received_at: Timestamp, now: Timestamp) -> Timestamp {
    if starts_at > now {
        starts_at.min(after(now, AHEAD_AT_MOST)).max(after(now, AHEAD_AT_LEAST))
    } else {
        after(received_at, BEGUN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Timestamp {
        format!("2026-11-23T{time}:00Z").parse().unwrap()
    }

    #[test]
    fn a_lesson_ahead_is_confirmed_until_it_begins_within_a_day() {
        let noon = at("12:00");
        assert_eq!(deadline(at("18:00"), noon, noon), at("18:00"));
        assert_eq!(deadline(after(noon, Duration::from_secs(9 * 86_400)), noon, noon), after(noon, AHEAD_AT_MOST));
    }

    #[test]
    fn a_lesson_about_to_begin_still_has_time_for_its_confirmation() {
        assert_eq!(deadline(at("12:01"), at("12:00"), at("12:00")), at("12:10"));
    }

    #[test]
    fn a_lesson_that_had_begun_when_it_was_reported_is_confirmed_within_the_hour() {
        assert_eq!(deadline(at("09:00"), at("12:00"), at("12:00")), at("13:00"));
        assert_eq!(deadline(at("12:00"), at("12:00"), at("12:00")), at("13:00"));
    }

    #[test]
    fn a_confirmation_that_waited_until_the_lesson_was_over_is_late() {
        let (received, begins, now) = (at("08:00"), at("10:00"), at("18:00"));
        assert!(deadline(begins, received, now) < now);
    }
}
