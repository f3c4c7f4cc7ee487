//! What the page is asked for, as it stands in its address, and the controls that ask for something else.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use store::{Granularity, QuerySort, SearchMetrics};

use super::{push, tab};
use crate::pages::template::escape;

/// The longest time that is shown, in days.
pub const MOST_DAYS: i64 = 366;

/// A time that the page offers, by its word in the address: how many days, and what it is called.
const PERIODS: [(&str, i64, &str); 4] =
    [("24h", 1, "24 hours"), ("7d", 7, "7 days"), ("30d", 30, "30 days"), ("90d", 90, "90 days")];
/// Kinds to choose from, those with the most searches: over a long time there may be any number.
const MOST_KINDS: usize = 50;
/// The one that is shown where none is asked for.
const USUAL: &str = "7d";

/// From when until before when, in which steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
    /// What is one point.
    pub granularity: Granularity,
    /// The word of the period that was chosen; none: from one date to another.
    period: Option<&'static str>,
}

/// A time that cannot be shown: the parameter and why.
pub type Refused = (&'static str, String);

impl Range {
    /// A period that the page offers, until now: its last point is not over.
    ///
    /// # Errors
    /// The word names none.
    pub fn until(now: Timestamp, period: Option<&str>) -> Result<Self, Refused> {
        let word = period.unwrap_or(USUAL);
        let known = PERIODS.iter().find(|(known, ..)| *known == word);
        let (word, days, _) = known.ok_or_else(|| ("period", "24h, 7d, 30d or 90d is expected".to_owned()))?;
        let granularity = if *days == 1 { Granularity::Hour } else { Granularity::Day };
        let to = granularity.next(granularity.floor(now));
        Ok(Self { from: to - SignedDuration::from_hours(24 * days), to, granularity, period: Some(word) })
    }

    /// From the first of two dates to the last, both included, of UTC.
    ///
    /// # Errors
    /// They are in the wrong order, or too far apart.
    pub fn between(first: Date, last: Date) -> Result<Self, Refused> {
        let days = first.until(last).map_or(i64::MAX, |span| i64::from(span.get_days())) + 1;
        if days < 1 {
            return Err(("to", "a date that is not before from is expected".to_owned()));
        }
        if days > MOST_DAYS {
            return Err(("to", format!("at most {MOST_DAYS} days are shown")));
        }
        let midnight = |day: Date| day.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
        let end = last.checked_add(Span::new().days(1)).and_then(midnight);
        let (from, to) = midnight(first).and_then(|from| Ok((from, end?))).map_err(|e| ("from", e.to_string()))?;
        let granularity = if days == 1 { Granularity::Hour } else { Granularity::Day };
        Ok(Self { from, to, granularity, period: None })
    }

    /// As long a time, just before.
    #[must_use]
    pub fn before(&self) -> (Timestamp, Timestamp) {
        let length = self.to.duration_since(self.from);
        (self.from.checked_sub(length).unwrap_or(Timestamp::MIN), self.from)
    }

    /// What it is called.
    #[must_use]
    pub fn title(&self) -> String {
        let chosen = PERIODS.iter().find(|(word, ..)| Some(*word) == self.period);
        match chosen {
            Some((_, _, name)) => format!("Search, the last {name}"),
            None => format!("Search, {}", self.dates()),
        }
    }

    fn dates(&self) -> String {
        let zoned = |at: Timestamp| at.to_zoned(TimeZone::UTC);
        let (first, last) = (zoned(self.from).date(), zoned(self.to - SignedDuration::from_millis(1)).date());
        match first == last {
            true => first.strftime("%-d %B %Y").to_string(),
            false => format!("{} to {}", first.strftime("%-d %B %Y"), last.strftime("%-d %B %Y")),
        }
    }

    /// What stands below a point.
    #[must_use]
    pub fn label(&self, at: Timestamp) -> String {
        let format = match self.granularity {
            Granularity::Hour => "%H:%M",
            Granularity::Day => "%-d %b",
        };
        at.to_zoned(TimeZone::UTC).strftime(format).to_string()
    }
}

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// When.
    pub range: Range,
    /// Searches of this kind only.
    pub kind: Option<String>,
    /// Searches from this device only.
    pub device: Option<String>,
    /// Which queries.
    pub sort: QuerySort,
}

impl Asked {
    /// What is compared with what.
    pub(super) fn subtitle(&self) -> String {
        let only = |what: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!(" {what} {value} only.")).unwrap_or_default()
        };
        let until = if self.range.period.is_some() { ", until now" } else { "" };
        let (kind, device) = (only("Kind", &self.kind), only("Device", &self.device));
        format!("{}{until}; compared with as long a time before.{kind}{device}", self.range.dates())
    }

    pub(super) fn periods(&self) -> String {
        let mut out = String::new();
        for (word, _, name) in PERIODS {
            let current = if self.range.period == Some(word) { r#" aria-current="true""# } else { "" };
            let href = self.href(&[("period", word.to_owned())], self.sort, "");
            push(&mut out, format_args!(r#"<a href="{href}"{current}>{name}</a>"#));
        }
        out
    }

    pub(super) fn tabs(&self) -> String {
        let mut out = String::new();
        for sort in QuerySort::ALL {
            let current = if *sort == self.sort { r#" aria-current="true""# } else { "" };
            let href = self.href(&self.when(), *sort, "#queries");
            push(&mut out, format_args!(r#"<a href="{href}"{current}>{}</a>"#, tab(*sort)));
        }
        out
    }

    /// Which kind and which device, to be chosen among those that there are.
    pub(super) fn filters(&self, kinds: &[SearchMetrics], devices: &[SearchMetrics]) -> String {
        let mut out = String::from(r#"<form class="filters" method="get" action="/search">"#);
        let mut kept = self.when();
        kept.push(("sort", self.sort.to_string()));
        for (name, value) in kept {
            push(&mut out, format_args!(r#"<input type="hidden" name="{name}" value="{}">"#, escape(&value)));
        }
        let kinds = kinds.iter().filter_map(|row| row.kind.as_deref()).take(MOST_KINDS);
        choice(&mut out, "kind", "Kind", &self.kind, kinds);
        choice(&mut out, "device", "Device", &self.device, devices.iter().filter_map(|row| row.device.as_deref()));
        out.push_str(r#"<button type="submit">Show</button></form>"#);
        out
    }

    /// The parameters that say when.
    fn when(&self) -> Vec<(&'static str, String)> {
        match self.range.period {
            Some(word) => vec![("period", word.to_owned())],
            None => {
                let date = |at: Timestamp| at.to_zoned(TimeZone::UTC).date().to_string();
                vec![("from", date(self.range.from)), ("to", date(self.range.to - SignedDuration::from_millis(1)))]
            }
        }
    }

    /// The address of the same page with another time or sort, as it stands in an attribute.
    fn href(&self, when: &[(&'static str, String)], sort: QuerySort, anchor: &str) -> String {
        let mut all = when.to_vec();
        all.extend(self.kind.clone().map(|kind| ("kind", kind)));
        all.extend(self.device.clone().map(|device| ("device", device)));
        if sort != QuerySort::Popular {
            all.push(("sort", sort.to_string()));
        }
        let query: Vec<String> = all.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
        format!("/search?{}{anchor}", query.join("&amp;"))
    }
}

fn choice<'a>(
    out: &mut String,
    name: &str,
    label: &str,
    chosen: &Option<String>,
    there: impl Iterator<Item = &'a str>,
) {
    let mut options: Vec<&str> = there.collect();
    // One that was asked for by hand and did not occur stays chosen.
    if let Some(chosen) = chosen.as_deref().filter(|chosen| !options.contains(chosen)) {
        options.push(chosen);
    }
    push(out, format_args!(r#"<label>{label}<select name="{name}"><option value="">all</option>"#));
    for option in options {
        let selected = if chosen.as_deref() == Some(option) { " selected" } else { "" };
        push(out, format_args!("<option{selected}>{}</option>", escape(option)));
    }
    out.push_str("</select></label>");
}

/// A value in a query (RFC 3986 §2.1).
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            byte => push(&mut out, format_args!("%{byte:02X}")),
        }
    }
    out
}

/// What a table of queries has.
pub(super) const fn meaning(sort: QuerySort) -> &'static str {
    match sort {
        QuerySort::Popular => "The most searched.",
        QuerySort::Trending => "Those that grew most against the time before, from 5 searches on.",
        QuerySort::Problem => "At least 5 searches, of which half found fewer than 3 results, or none was clicked.",
        QuerySort::Zero => "Those that found nothing at least 5 times, and more often than before.",
    }
}

/// That a table has nothing.
pub(super) const fn none_of(sort: QuerySort) -> &'static str {
    match sort {
        QuerySort::Popular => "Nobody searched in this time.",
        QuerySort::Trending => "No query grew, of those with 5 searches or more.",
        QuerySort::Problem => "No query of 5 searches or more went wrong.",
        QuerySort::Zero => "No query found nothing more often than before, of those with 5 such searches or more.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_period_ends_with_the_hour_or_day_that_it_is() {
        let now = at("2026-11-25T10:20:00Z");
        let day = Range::until(now, Some("24h")).unwrap();
        assert_eq!((day.from, day.to), (at("2026-11-24T11:00:00Z"), at("2026-11-25T11:00:00Z")));
        let week = Range::until(now, None).unwrap();
        assert_eq!((week.from, week.to), (at("2026-11-19T00:00:00Z"), at("2026-11-26T00:00:00Z")));
        assert_eq!(week.before(), (at("2026-11-12T00:00:00Z"), at("2026-11-19T00:00:00Z")));
        assert_eq!(Range::until(now, Some("1y")).unwrap_err().0, "period");
    }

    #[test]
    fn dates_are_whole_days_in_order() {
        let date = |text: &str| text.parse::<Date>().unwrap();
        let week = Range::between(date("2026-11-16"), date("2026-11-22")).unwrap();
        assert_eq!((week.from, week.to), (at("2026-11-16T00:00:00Z"), at("2026-11-23T00:00:00Z")));
        assert_eq!(week.title(), "Search, 16 November 2026 to 22 November 2026");
        assert_eq!(Range::between(date("2026-11-16"), date("2026-11-16")).unwrap().granularity, Granularity::Hour);
        assert_eq!(Range::between(date("2026-11-17"), date("2026-11-16")).unwrap_err().0, "to");
        assert_eq!(Range::between(date("2020-01-01"), date("2026-01-01")).unwrap_err().0, "to");
        assert!(Range::between(date("0001-01-01"), date("9999-12-31")).is_err());
    }

    #[test]
    fn of_any_number_of_kinds_the_first_are_offered() {
        let range = Range::until(at("2026-11-25T10:20:00Z"), None).unwrap();
        let kind = |n: usize| SearchMetrics { kind: Some(format!("k{n}")), ..SearchMetrics::empty(range.from) };
        let kinds: Vec<SearchMetrics> = (0..2_000).map(kind).collect();
        let asked = Asked { range, kind: Some("k1999".to_owned()), device: None, sort: QuerySort::Popular };
        let html = asked.filters(&kinds, &[]);
        assert_eq!(html.matches(">k").count(), 51, "and the one that is chosen: {html}");
    }

    #[test]
    fn what_is_chosen_stays_in_every_link_and_cannot_leave_its_attribute() {
        let asked = Asked {
            range: Range::until(at("2026-11-25T10:20:00Z"), None).unwrap(),
            kind: Some("a&b=\"><script>".to_owned()),
            device: None,
            sort: QuerySort::Zero,
        };
        assert!(
            asked.tabs().contains("/search?period=7d&amp;kind=a%26b%3D%22%3E%3Cscript%3E&amp;sort=trending#queries")
        );
        for html in [asked.tabs(), asked.periods(), asked.filters(&[], &[])] {
            assert!(!html.contains("<script>"), "{html}");
        }
        assert!(asked.filters(&[], &[]).contains("<option selected>a&amp;b=&quot;&gt;&lt;script&gt;</option>"));
    }
}
