//! The settings of bookings and reminders, as jobs use them.

use std::time::Duration;

use mail::calendar::Person;

use super::quiet::QuietHours;

/// The sender profile that all mails about bookings come from.
pub(super) const SENDER: &str = "bookings";

/// What holds for all bookings of this installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookingRules {
    /// How long before the start people are reminded, unless a booking says so itself.
    pub offsets: Vec<Duration>,
    /// When people are left alone; none: never.
    pub quiet_hours: Option<QuietHours>,
    /// How the student is asked for a review; none: not at all.
    pub review: Option<ReviewRules>,
    /// Whom calendar entries are from: the sender `bookings`. None: mails carry no entry.
    pub organizer: Option<Person>,
    /// How far back the ledger is compared with what must have been mailed.
    pub reconcile_window: Duration,
}

/// How the student of a completed booking is asked for a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewRules {
    /// How long after the booking was reported as completed.
    pub delay: Duration,
    /// Where it is written, with `{booking_id}` in the place of the id; none: the mail has no link.
    pub url: Option<String>,
}

impl ReviewRules {
    /// The link of one booking. (An id has only characters that need no escape in a URL.)
    pub(super) fn url_of(&self, booking_id: &str) -> Option<String> {
        self.url.as_ref().map(|url| url.replace("{booking_id}", booking_id))
    }
}

impl Default for BookingRules {
    /// As the default configuration, without a sender.
    fn default() -> Self {
        Self {
            offsets: vec![Duration::from_secs(24 * 3600), Duration::from_secs(3600)],
            quiet_hours: None,
            review: Some(ReviewRules { delay: Duration::from_secs(2 * 3600), url: None }),
            organizer: None,
            reconcile_window: Duration::from_secs(7 * 86_400),
        }
    }
}
