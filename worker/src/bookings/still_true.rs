//! A second look at a mail about a booking, when it is about to be sent: what was so when it was decided may not be so now.
//!
//! - News of a version is untrue once a newer one was applied: that one has its own news.
//! - A reminder is untrue once the booking does not take place, has moved or has begun. If its reader has another address
//!   now it goes there. If its reader sleeps it waits, where it may. How far away the lesson is, is told as of now.

use jiff::Timestamp;
use store::{Booking, BookingStatus, Delivery, Party};

use super::{BookingRules, Role, plan, remind};

/// What the second look found.
#[derive(Debug, Clone, PartialEq)]
pub enum Look {
    /// The mail is true as it stands.
    True,
    /// It is true when it says this.
    TrueAs(Box<Delivery>),
    /// It is true, and belongs to another address.
    Moved(Box<Party>),
    /// It is not true any more; why.
    Untrue(String),
    /// Its reader sleeps until then.
    Sleeps(Timestamp),
}

/// Looks at `mail`, which is about `booking` as it is now (none: it is not there any more).
#[must_use]
pub fn look(rules: &BookingRules, booking: Option<&Booking>, mail: &Delivery, now: Timestamp) -> Look {
    if let Some(version) = mail.booking_version {
        return match booking {
            Some(booking) if booking.version > version => {
                Look::Untrue(format!("version {} of the booking has taken the place of {version}", booking.version))
            }
            _ => Look::True,
        };
    }
    let Some(moves) = mail.booking_moves else { return Look::True };
    match booking {
        None => Look::Untrue("the booking is gone".to_owned()),
        Some(booking) => reminder(rules, booking, mail, moves, now),
    }
}

fn reminder(rules: &BookingRules, booking: &Booking, mail: &Delivery, moves: i64, now: Timestamp) -> Look {
    if booking.status != BookingStatus::Confirmed {
        return Look::Untrue(format!("the booking is {}", booking.status));
    }
    if booking.moves != moves {
        return Look::Untrue("the booking has moved".to_owned());
    }
    if booking.starts_at <= now {
        return Look::Untrue("the lesson has begun".to_owned());
    }
    let of_key = |role: &Role| mail.idempotency_key.rsplit(':').next() == Some(role.as_str());
    let Some(role) = Role::BOTH.into_iter().find(of_key) else { return Look::True };
    let reader = role.of(booking);
    if reader.email != mail.recipient {
        return Look::Moved(Box::new(reader.clone()));
    }
    let label = mail.idempotency_key.rsplit(':').nth(1).unwrap_or_default();
    let due = plan::of(booking, &rules.offsets).into_iter().find(|due| due.label() == label);
    if let Some(end) = due.and_then(|due| remind::waits_until(rules, booking, &due, role, now)) {
        return Look::Sleeps(end);
    }
    Look::TrueAs(Box::new(Delivery {
        data: remind::data(booking, role, now),
        recipient_name: Some(reader.name.clone()),
        locale: reader.locale.clone(),
        ..mail.clone()
    }))
}
