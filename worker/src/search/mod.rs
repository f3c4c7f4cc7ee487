//! Search analytics: what holds for events, when a window is counted again (`due`), and counting (`rollup`).

mod due;
mod rollup;

use std::time::Duration;

use jiff::Timestamp;
use secrets::{Keyring, Purpose};
use store::SearchRules;
use uuid::Uuid;

pub use due::is_due;
pub use rollup::{RolledUp, Wanted, roll_up};

/// What holds for search events in this installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchSettings {
    /// How they are counted.
    pub rules: SearchRules,
    /// How long after it happened an event is still taken.
    pub late: Duration,
    /// How long one key hashes network addresses.
    pub network_key_for: Duration,
    /// How long guests' searches are kept: a window that began before can no longer be counted as it was.
    pub countable_for: Duration,
    /// How long what was counted of each query by the hour is kept: from before there are whole days only.
    pub hourly_for: Duration,
}

impl Default for SearchSettings {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
        Self {
            rules: SearchRules::default(),
            late: 2 * DAY,
            network_key_for: DAY,
            countable_for: 90 * DAY,
            hourly_for: 35 * DAY,
        }
    }
}

impl SearchSettings {
    /// What stands for a network address at `now`: a hash under a key that changes every `network_key_for`, so that an
    /// address can be told apart from others for that long and no longer.
    #[must_use]
    pub fn network(&self, ring: &Keyring, address: &str, now: Timestamp) -> Option<Uuid> {
        let period = i64::try_from(self.network_key_for.as_secs()).unwrap_or(i64::MAX).max(1);
        let number = now.as_second().div_euclid(period);
        Uuid::try_parse(&ring.pseudonym_in(Purpose::Network, &number.to_string(), address.as_bytes())).ok()
    }
}

/// Whether a time may be asked for: one in the years 1970 to 9000, which every database and every language can say.
#[must_use]
pub fn is_near(at: Timestamp) -> bool {
    /// The end of the year 9000.
    const END: i64 = 221_876_928_000;
    (0..END).contains(&at.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_may_be_asked_for_are_those_from_1970_to_the_end_of_9000() {
        let at = |text: &str| is_near(text.parse().unwrap());
        assert!(at("1970-01-01T00:00:00Z") && at("9000-12-31T23:59:59Z"));
        assert!(!at("1969-12-31T23:59:59Z") && !at("9001-01-01T00:00:00Z") && !at("-005000-01-01T00:00:00Z"));
    }

    #[test]
    fn an_address_is_known_again_within_a_period_and_not_beyond() {
        let (settings, ring) = (SearchSettings::default(), Keyring::ephemeral());
        let at = |text: &str| text.parse().unwrap();
        let of = |address, text| settings.network(&ring, address, at(text)).unwrap();
        let morning = of("192.0.2.1", "2026-11-25T00:00:00Z");
        assert_eq!(morning, of("192.0.2.1", "2026-11-25T23:59:59Z"));
        assert_ne!(morning, of("192.0.2.2", "2026-11-25T00:00:00Z"));
        assert_ne!(morning, of("192.0.2.1", "2026-11-26T00:00:00Z"));
        let elsewhere = settings.network(&Keyring::ephemeral(), "192.0.2.1", at("2026-11-25T00:00:00Z"));
        assert_ne!(Some(morning), elsewhere);
    }
}
