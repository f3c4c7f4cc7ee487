//! `[bookings]`: what follows from a lesson that took place.

use std::time::Duration;

use serde::Deserialize;

use crate::check::Check;
use crate::duration;

/// What stands for the booking's id in [`Bookings::review_url`].
const PLACE: &str = "{booking_id}";

/// Settings of what follows a lesson.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bookings {
    /// Whether the student of a completed booking is asked for a review.
    pub ask_for_review: bool,
    /// How long after the booking was reported as completed, up to 30 days.
    #[serde(deserialize_with = "duration::deserialize")]
    pub review_delay: Duration,
    /// Where the review is written: http or https, with `{booking_id}` where the booking's id goes. None: the mail asks
    /// without a link.
    #[serde(default)]
    pub review_url: Option<String>,
}

impl Default for Bookings {
    fn default() -> Self {
        Self { ask_for_review: true, review_delay: Duration::from_secs(2 * 3600), review_url: None }
    }
}

impl Bookings {
    pub(crate) fn validate(&self, check: &mut Check) {
        check.time("review_delay", self.review_delay, Duration::ZERO..=Duration::from_secs(30 * 86_400));
        if let Some(url) = &self.review_url {
            let web = ["https://", "http://"].iter().any(|scheme| url.len() > scheme.len() && url.starts_with(scheme));
            let plain = url.replace(PLACE, "").bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b));
            let reason = "must be an http or https URL, with {booking_id} where the booking's id goes";
            check.that(web && plain && url.contains(PLACE), "review_url", reason);
        }
    }
}
