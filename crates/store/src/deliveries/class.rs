//! What a mail is to its reader, and what follows for sending it: the one place for the rules of the classes.
//!
//! | category | class | worth sending for | tried again after | its fate is unknown |
//! |---|---|---|---|---|
//! | booking | booking | 24 h, or until the lesson begins | 15 s … 15 min | a person decides |
//! | account, security | account | 1 h | 5 s … 5 min | a person decides |
//! | alert | alert | 1 h | 5 s … 5 min | it is sent again |
//! | report | report | 6 h | 1 min … 30 min | a person decides |
//!
//! Only reports can be unsubscribed from: the others are part of what a person asked for.

use std::time::Duration;

use crate::words::words;

words! {
    /// What a mail is to its reader.
    pub enum Category {
        /// About a lesson: confirmed, moved, cancelled, near.
        Booking = "booking",
        /// About the account: a welcome, an address to verify.
        Account = "account",
        /// About the safety of the account: a reset, a new device.
        Security = "security",
        /// To an operator, about the platform.
        Alert = "alert",
        /// Figures that somebody wanted regularly.
        Report = "report",
    }
}

words! {
    /// How a mail is sent.
    pub enum Class {
        /// Somebody plans by it, and it must not come twice.
        Booking = "booking",
        /// Somebody waits for it in front of a screen.
        Account = "account",
        /// Rather twice than not at all.
        Alert = "alert",
        /// It can wait.
        Report = "report",
    }
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

impl Category {
    /// How mails of this category are sent.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::Booking => Class::Booking,
            Self::Account | Self::Security => Class::Account,
            Self::Alert => Class::Alert,
            Self::Report => Class::Report,
        }
    }

    /// Whether people can ask not to get this category any more (RFC 8058).
    #[must_use]
    pub const fn can_be_unsubscribed(self) -> bool {
        matches!(self, Self::Report)
    }
}

impl Class {
    /// How long after its decision such a mail is worth sending, where nothing ends it sooner.
    #[must_use]
    pub const fn worth(self) -> Duration {
        Duration::from_secs(match self {
            Self::Booking => 24 * HOUR,
            Self::Account | Self::Alert => HOUR,
            Self::Report => 6 * HOUR,
        })
    }

    /// Whether a mail is sent again when nobody knows if the receiver took it: an alert that arrives twice is better than
    /// one that does not arrive. Of everything else a person would notice the second.
    #[must_use]
    pub const fn resends_unknown(self) -> bool {
        matches!(self, Self::Alert)
    }

    /// The waits after the first, second … attempt, in seconds; the last one repeats until the mail's deadline.
    const fn waits(self) -> &'static [u64] {
        match self {
            Self::Booking => &[15, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE],
            Self::Account | Self::Alert => &[5, 10, 20, 40, 90, 3 * MINUTE, 5 * MINUTE],
            Self::Report => &[MINUTE, 3 * MINUTE, 10 * MINUTE, 30 * MINUTE],
        }
    }

    /// The wait after the `attempt`th one (from 1), up to a fifth shorter or longer: mails that one outage put off
    /// together do not come back together. `chance` is uniform in `0.0..1.0`.
    #[must_use]
    pub fn wait(self, attempt: u32, chance: f64) -> Duration {
        let waits = self.waits();
        let n = usize::min(attempt.saturating_sub(1) as usize, waits.len() - 1);
        Duration::from_secs(waits[n]).mul_f64(0.8 + 0.4 * chance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wait_follows_the_first_attempt_and_the_last_one_repeats() {
        let middle = |attempt| Class::Booking.wait(attempt, 0.5).as_secs_f64().round();
        assert_eq!([1, 2, 3, 7, 8, 400].map(middle), [15.0, 30.0, 60.0, 900.0, 900.0, 900.0]);
    }

    #[test]
    fn a_wait_varies_by_a_fifth_either_way() {
        let between = Class::Booking.wait(2, 0.0).as_secs_f64()..=Class::Booking.wait(2, 1.0).as_secs_f64();
        assert!((between.start() - 24.0).abs() < 1e-6 && (between.end() - 36.0).abs() < 1e-6, "{between:?}");
    }

    #[test]
    fn every_class_is_tried_often_within_what_it_is_worth_and_no_wait_is_shorter_than_the_one_before() {
        for class in Class::ALL {
            let mut total = Duration::ZERO;
            let tried = (1..).take_while(|attempt| {
                total += class.wait(*attempt, 1.0);
                total < class.worth()
            });
            assert!(tried.count() >= 8, "{class}");
            assert!(class.waits().is_sorted(), "{class}");
        }
    }

    #[test]
    fn only_alerts_may_come_twice_and_only_reports_can_be_unsubscribed_from() {
        let twice: Vec<_> = Class::ALL.iter().filter(|class| class.resends_unknown()).collect();
        assert_eq!(twice, [&Class::Alert]);
        let optional: Vec<_> = Category::ALL.iter().filter(|category| category.can_be_unsubscribed()).collect();
        assert_eq!(optional, [&Category::Report]);
    }
}
