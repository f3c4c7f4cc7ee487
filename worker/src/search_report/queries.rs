//! Queries as they are shown: in which words, and with which detail.

use chart::{Format, number};
use store::{QuerySort, SearchQuery};

/// The longest query that is shown whole, in characters.
const LONGEST: usize = 80;

/// What stands above a table.
#[must_use]
pub const fn title(sort: QuerySort) -> &'static str {
    match sort {
        QuerySort::Popular => "Most searched",
        QuerySort::Trending => "Searched more than before",
        QuerySort::Problem => "Found little, or nothing that was clicked",
        QuerySort::Zero => "Found nothing, more often than before",
    }
}

/// What the detail of a table is.
#[must_use]
pub const fn detail_name(sort: QuerySort) -> &'static str {
    match sort {
        QuerySort::Popular | QuerySort::Problem => "Clicked",
        QuerySort::Trending => "Growth",
        QuerySort::Zero => "Found nothing",
    }
}

/// The detail of a query; none: not known.
#[must_use]
pub fn detail(sort: QuerySort, query: &SearchQuery) -> Option<String> {
    match sort {
        QuerySort::Popular | QuerySort::Problem => share(query.clicked, query.searches),
        QuerySort::Trending if query.previous_searches == 0 => Some("new".to_owned()),
        QuerySort::Trending => growth(query.searches, query.previous_searches),
        QuerySort::Zero => share(query.zero_results, query.searches),
    }
}

/// A query: what people typed may be long, and nothing at all.
#[must_use]
pub fn shown(query: &str) -> String {
    let clean: String = query.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match clean.trim().chars().count() {
        0 => "(nothing typed)".to_owned(),
        1..=LONGEST => clean,
        _ => clean.chars().take(LONGEST - 1).chain(['…']).collect(),
    }
}

/// A count.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of searches are far below 2^53")]
pub fn count(n: u64) -> String {
    number::full(n as f64, Format::Count)
}

/// A part of a whole; none where there is no whole.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of searches are far below 2^53")]
pub fn share(part: u64, whole: u64) -> Option<String> {
    (whole > 0).then(|| format!("{:.0} %", part as f64 / whole as f64 * 100.0))
}

#[expect(clippy::cast_precision_loss, reason = "counts of searches are far below 2^53")]
fn growth(now: u64, before: u64) -> Option<String> {
    let percent = |before: u64| (now as f64 / before as f64 - 1.0) * 100.0;
    (before > 0).then(|| format!("{:+.0} %", percent(before)).replace('-', "\u{2212}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_one_line_of_bearable_length() {
        assert_eq!(shown("piano"), "piano");
        assert_eq!(shown(""), "(nothing typed)");
        assert_eq!(shown("a\r\nBcc: x"), "a  Bcc: x");
        assert_eq!(shown(&"ä".repeat(500)).chars().count(), 80);
    }

    #[test]
    fn what_there_is_nothing_of_has_no_share() {
        assert_eq!(share(1, 0), None);
        assert_eq!(share(1, 3), Some("33 %".to_owned()));
        assert_eq!(growth(41, 10), Some("+310 %".to_owned()));
        assert_eq!(growth(5, 10), Some("\u{2212}50 %".to_owned()));
    }
}
