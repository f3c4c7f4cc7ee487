//! Which mails each event leads to: the one list.
//!
//! | event | student | instructor | calendar |
//! |---|---|---|---|
//! | confirmed | booking_confirmed | booking_confirmed | REQUEST |
//! | rescheduled | booking_rescheduled; booking_confirmed if the start stays | the same | REQUEST |
//! | cancelled | booking_cancelled_by_you or _by_other | booking_cancelled_by_you or _by_other | CANCEL |
//! | completed | booking_completed, after a while: asks for a review | booking_completed | |
//! | no_show | | | |

use mail::calendar::Method;
use store::{BookingEventKind, CancelledBy};

use super::Role;

/// A mail to one of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Telling {
    /// What it tells: the template's name without the role.
    pub(super) what: &'static str,
    /// To whom.
    pub(super) role: Role,
    /// What becomes of the entry in the reader's calendar.
    pub(super) calendar: Option<Method>,
}

impl Telling {
    /// The key of the mail in the ledger.
    pub(super) fn key(&self, booking_id: &str, version: i64) -> String {
        format!("booking:{booking_id}:v{version}:{}:{}", self.what, self.role)
    }
}

/// The mails of an event, in the order in which they are written. `asks_for_review` is the installation's.
pub(super) fn of(event: BookingEventKind, cancelled_by: Option<CancelledBy>, asks_for_review: bool) -> Vec<Telling> {
    let both = |what: fn(Role, Option<CancelledBy>) -> &'static str, calendar| {
        Role::BOTH.map(|role| Telling { what: what(role, cancelled_by), role, calendar: Some(calendar) }).to_vec()
    };
    match event {
        BookingEventKind::Confirmed => both(|_, _| "booking_confirmed", Method::Request),
        BookingEventKind::Rescheduled => both(|_, _| "booking_rescheduled", Method::Request),
        BookingEventKind::Cancelled => both(
            |role, by| match role.cancelled(by) {
                true => "booking_cancelled_by_you",
                false => "booking_cancelled_by_other",
            },
            Method::Cancel,
        ),
        BookingEventKind::Completed => {
            let told = |role: &Role| *role == Role::Instructor || asks_for_review;
            let telling = |role| Telling { what: "booking_completed", role, calendar: None };
            Role::BOTH.into_iter().filter(told).map(telling).collect()
        }
        BookingEventKind::NoShow => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(event: BookingEventKind, by: Option<CancelledBy>) -> Vec<String> {
        of(event, by, true).iter().map(|telling| format!("{}_{}", telling.what, telling.role)).collect()
    }

    #[test]
    fn who_called_it_off_is_told_so_and_the_other_by_whom() {
        let of = |by| told(BookingEventKind::Cancelled, by);
        let (you, other) = ("booking_cancelled_by_you", "booking_cancelled_by_other");
        assert_eq!(of(Some(CancelledBy::Student)), [format!("{you}_student"), format!("{other}_instructor")]);
        assert_eq!(of(Some(CancelledBy::Instructor)), [format!("{other}_student"), format!("{you}_instructor")]);
        for by in [Some(CancelledBy::Platform), None] {
            assert_eq!(of(by), [format!("{other}_student"), format!("{other}_instructor")]);
        }
    }

    #[test]
    fn only_the_student_is_asked_for_a_review_if_anybody_is_and_nobody_is_told_of_who_did_not_come() {
        let both = ["booking_completed_student", "booking_completed_instructor"];
        assert_eq!(told(BookingEventKind::Completed, None), both);
        let without = of(BookingEventKind::Completed, None, false);
        assert_eq!(without.iter().map(|telling| telling.role).collect::<Vec<_>>(), [Role::Instructor]);
        assert!(told(BookingEventKind::NoShow, None).is_empty());
    }
}
