//! What holds for bookings and reminders, from the configuration.

use anyhow::Context as _;
use config::Config;
use jiff::civil::Time;
use mail::calendar::Person;
use worker::bookings::{BookingRules, QuietHours, ReviewRules};

/// The rules of this installation.
pub(super) fn booking_rules(config: &Config) -> anyhow::Result<BookingRules> {
    let time = |minute: u16| {
        let (hour, minute) = (i8::try_from(minute / 60)?, i8::try_from(minute % 60)?);
        Time::new(hour, minute, 0, 0).context("reminders.quiet_hours")
    };
    let quiet_hours = match config.reminders.quiet_hours {
        Some(quiet) => Some(QuietHours { from: time(quiet.from)?, until: time(quiet.until)? }),
        None => None,
    };
    let organizer = match config.mail.profile("bookings") {
        Some(profile) => Some(Person {
            address: profile.address.parse().context("mail.senders.bookings.address")?,
            name: Some(profile.display_name),
        }),
        None => None,
    };
    let bookings = &config.bookings;
    Ok(BookingRules {
        offsets: config.reminders.offsets.clone(),
        quiet_hours,
        review: bookings
            .ask_for_review
            .then(|| ReviewRules { delay: bookings.review_delay, url: bookings.review_url.clone() }),
        organizer,
        reconcile_window: config.reconcile.window,
    })
}
