//! Which days a report is about.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use store::Granularity;

/// A day, or a week from Monday on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One day.
    Daily,
    /// Seven days, the first a Monday (ISO 8601).
    Weekly,
}

/// Whole days of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// How long it is.
    pub kind: Kind,
    /// Its first day.
    pub first: Date,
}

impl Kind {
    /// Its word, in keys and labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
        }
    }

    const fn days(self) -> i64 {
        match self {
            Self::Daily => 1,
            Self::Weekly => 7,
        }
    }
}

impl Period {
    /// The one that `day` is in.
    #[must_use]
    pub fn of(kind: Kind, day: Date) -> Self {
        let back = match kind {
            Kind::Daily => 0,
            Kind::Weekly => i64::from(day.weekday().to_monday_zero_offset()),
        };
        Self { kind, first: earlier(day, back) }
    }

    /// The last one that was over at `now`.
    #[must_use]
    pub fn before(kind: Kind, now: Timestamp) -> Self {
        Self::of(kind, now.to_zoned(TimeZone::UTC).date()).previous()
    }

    /// The one just before.
    #[must_use]
    pub fn previous(self) -> Self {
        Self { first: earlier(self.first, self.kind.days()), ..self }
    }

    /// The first day after it.
    #[must_use]
    pub fn end(self) -> Date {
        earlier(self.first, -self.kind.days())
    }

    /// Its last day.
    #[must_use]
    pub fn last(self) -> Date {
        earlier(self.end(), 1)
    }

    /// From when until before when.
    #[must_use]
    pub fn span(self) -> (Timestamp, Timestamp) {
        (midnight(self.first), midnight(self.end()))
    }

    /// What is drawn as one point.
    #[must_use]
    pub const fn granularity(self) -> Granularity {
        match self.kind {
            Kind::Daily => Granularity::Hour,
            Kind::Weekly => Granularity::Day,
        }
    }

    /// In words: `24 November 2026`, `16 to 22 November 2026`.
    #[must_use]
    pub fn words(self) -> String {
        let (first, last) = (self.first, self.last());
        let full = "%-d %B %Y";
        match (first == last, first.year() == last.year(), first.month() == last.month()) {
            (true, ..) => last.strftime(full).to_string(),
            (_, true, true) => format!("{} to {}", first.strftime("%-d"), last.strftime(full)),
            (_, true, false) => format!("{} to {}", first.strftime("%-d %B"), last.strftime(full)),
            (_, false, _) => format!("{} to {}", first.strftime(full), last.strftime(full)),
        }
    }

    /// What stands below a point of a chart that begins at `at`.
    #[must_use]
    pub fn label(self, at: Timestamp) -> String {
        let at = at.to_zoned(TimeZone::UTC);
        match self.kind {
            Kind::Daily => at.strftime("%H:%M").to_string(),
            Kind::Weekly => at.strftime("%a %-d").to_string(),
        }
    }
}

/// So many days before. Dates end far beyond everything that is counted.
fn earlier(day: Date, days: i64) -> Date {
    day.saturating_sub(Span::new().days(days))
}

fn midnight(day: Date) -> Timestamp {
    day.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_report_is_about_the_last_days_that_are_over() {
        let daily = Period::before(Kind::Daily, at("2026-11-25T06:00:00Z"));
        assert_eq!(daily.span(), (at("2026-11-24T00:00:00Z"), at("2026-11-25T00:00:00Z")));
        let weekly = Period::before(Kind::Weekly, at("2026-11-25T06:00:00Z"));
        assert_eq!(weekly.span(), (at("2026-11-16T00:00:00Z"), at("2026-11-23T00:00:00Z")));
        assert_eq!(weekly.previous().span().1, weekly.span().0);
        // On a Monday the week before has just ended.
        assert_eq!(Period::before(Kind::Weekly, at("2026-11-23T00:00:00Z")), weekly);
        assert_eq!(Period::before(Kind::Weekly, at("2026-11-22T23:59:59Z")), weekly.previous());
    }

    #[test]
    fn it_is_named_as_people_name_days() {
        let words = |kind, day: &str| Period::of(kind, day.parse().unwrap()).words();
        assert_eq!(words(Kind::Daily, "2026-11-24"), "24 November 2026");
        assert_eq!(words(Kind::Weekly, "2026-11-18"), "16 to 22 November 2026");
        assert_eq!(words(Kind::Weekly, "2026-12-01"), "30 November to 6 December 2026");
        assert_eq!(words(Kind::Weekly, "2026-12-31"), "28 December 2026 to 3 January 2027");
    }
}
