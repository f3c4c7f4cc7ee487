//! The report as its reader gets it: figures in, a filled template out; and which figures are an alert.

use alerting::State;
use jiff::{SignedDuration, Timestamp};
use mail::{Locale, Rendered, Renderer};
use serde_json::Value;
use store::{Granularity, QuerySort, SearchMetrics, SearchQuery};
use uuid::Uuid;

use super::*;

const ID: Uuid = Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0001);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// So many searches in each point, of which a tenth found nothing and 2 % were booked.
fn points(period: Period, searches: u64) -> Vec<SearchMetrics> {
    let (from, to) = period.span();
    let step = match period.granularity() {
        Granularity::Hour => SignedDuration::from_hours(1),
        Granularity::Day => SignedDuration::from_hours(24),
    };
    let mut points = Vec::new();
    let mut start = from;
    while start < to {
        points.push(SearchMetrics {
            searches,
            zero_results: searches / 10,
            clicked: searches / 2,
            positions: searches,
            position_sum: searches * 3,
            booked: searches / 50,
            ..SearchMetrics::empty(start)
        });
        start = start.checked_add(step).unwrap();
    }
    points
}

fn figures(kind: Kind, searches: u64, before: u64) -> Figures {
    let period = Period::before(kind, at("2026-11-25T06:00:00Z"));
    let (now, then) = (points(period, searches), points(period.previous(), before));
    let query = SearchQuery {
        query: "piano <b>".to_owned(),
        searches: 40,
        zero_results: 10,
        few_results: 12,
        clicked: 30,
        booked: 2,
        previous_searches: 10,
        previous_zero_results: 0,
    };
    let of = |sort: &QuerySort| {
        let there = searches > 0 && *sort != QuerySort::Problem;
        (*sort, if there { vec![query.clone()] } else { Vec::new() })
    };
    Figures {
        now: SearchMetrics::total(&now).unwrap(),
        before: SearchMetrics::total(&then).unwrap(),
        points: now,
        points_before: then,
        searchers: (searches > 0).then_some(12.0),
        searchers_before: (before > 0).then_some(10.0),
        queries: QuerySort::ALL.iter().map(of).collect(),
        period,
    }
}

fn filled(figures: &Figures) -> (Value, Rendered) {
    let renderer = Renderer::new(None).unwrap();
    let data = data(figures, ID, "https://jobs.example.com").unwrap();
    let shown = renderer.render("search_report", &Locale::english(), &data).unwrap();
    let pictures = renderer.charts("search_report", &data).unwrap();
    for picture in &pictures {
        let id = picture.content_id().unwrap();
        assert!(shown.html.contains(&format!("src=\"cid:{id}\"")) && id.contains(&ID.simple().to_string()), "{id}");
        assert!(picture.bytes().starts_with(b"\x89PNG") && picture.bytes().len() < 60 << 10);
    }
    assert_eq!(shown.html.matches("cid:").count(), pictures.len());
    assert_eq!(renderer.charts("search_report", &data).unwrap(), pictures, "the same in every attempt");
    (data, shown)
}

#[test]
fn a_week_is_told_with_its_charts_and_the_week_before() {
    let (data, mail) = filled(&figures(Kind::Weekly, 200, 100));
    assert_eq!(mail.subject, "Weekly search report: 16 to 22 November 2026 (UTC)");
    for said in [
        "compared with 9 to 15 November 2026",
        "Searches: 1,400 (before: 700, +100.0 %)",
        "Searchers a day: 12 (before: 10, +20.0 %)",
        "Found nothing: 10.0 % (before: 10.0 %, +0.0 pp)",
        "Place of clicks: 3.00 (before: 3.00, +0.0)",
        "- Mon 16: 200 (before: 100)",
        "- piano <b>: 40 searches (Clicked: 75 %)",
        "- piano <b>: 40 searches (Growth: +300 %)",
        "https://jobs.example.com/search?from=2026-11-16&to=2026-11-22",
    ] {
        assert!(mail.text.contains(said), "{said}: {}", mail.text);
    }
    assert!(mail.html.contains("piano &lt;b&gt;") && !mail.html.contains("piano <b>"));
    assert_eq!(data["charts"].as_array().unwrap().len(), 3);
    assert!(data["charts"][0]["alt"].as_str().unwrap().starts_with("Searches a day. This week: 200 throughout."));
    assert!(!mail.text.contains("Found little"), "a table of nothing is left out");
}

#[test]
fn a_day_is_told_hour_by_hour() {
    let (_, mail) = filled(&figures(Kind::Daily, 20, 40));
    assert_eq!(mail.subject, "Daily search report: 24 November 2026 (UTC)");
    assert!(mail.text.contains("Searches: 480 (before: 960, −50.0 %)"), "{}", mail.text);
    assert!(mail.text.contains("- 23:00: 20 (before: 40)"), "{}", mail.text);
}

#[test]
fn that_there_is_nothing_is_said_plainly_and_nothing_is_called_zero() {
    let (data, mail) = filled(&figures(Kind::Weekly, 0, 0));
    assert!(mail.text.contains("No search was recorded in this time: there are no figures."), "{}", mail.text);
    assert!(mail.text.contains("Found nothing: no data (before: no data)"), "{}", mail.text);
    assert_eq!((&data["charts"], &data["tables"]), (&serde_json::json!([]), &serde_json::json!([])));
    let (_, first) = filled(&figures(Kind::Weekly, 100, 0));
    assert!(first.text.contains("there is nothing to compare with"), "{}", first.text);
    assert!(first.text.contains("Booked: 2.0 % (before: no data)"), "{}", first.text);
}

fn raised(figures: &Figures) -> Vec<(String, State)> {
    let now = at("2026-11-25T06:00:00Z");
    let all = alerts(figures, &Thresholds::default(), now);
    for alert in &all {
        assert_eq!(alert.validate(now), Ok(()), "{alert:?}");
        assert_eq!(alert.labels.get("source"), Some("postrider"));
    }
    all.into_iter().map(|alert| (alert.kind, alert.state)).collect()
}

#[test]
fn figures_within_their_thresholds_end_what_was_raised() {
    let expected =
        [("search.zero_results".to_owned(), State::Resolved), ("search.conversion".to_owned(), State::Resolved)];
    assert_eq!(raised(&figures(Kind::Daily, 100, 100)), expected);
}

#[test]
fn many_searches_without_a_result_are_an_alert() {
    let mut figures = figures(Kind::Daily, 100, 100);
    figures.now.zero_results = figures.now.searches * 3 / 10;
    assert_eq!(raised(&figures)[0].1, State::Resolved, "exactly the threshold is not beyond it");
    figures.now.zero_results += 1;
    assert_eq!(raised(&figures)[0].1, State::Firing);
}

#[test]
fn a_drop_of_bookings_is_an_alert_where_there_is_something_to_compare() {
    let mut figures = figures(Kind::Weekly, 100, 100);
    figures.now.booked = figures.before.booked * 6 / 10;
    assert_eq!(raised(&figures)[1], ("search.conversion".to_owned(), State::Firing));
    figures.before.searches = 99;
    assert_eq!(raised(&figures).len(), 1, "too few searched before");
}

#[test]
fn an_alert_that_is_not_borne_out_ends_after_three_periods() {
    let now = at("2026-11-25T06:00:00Z");
    for (kind, hours) in [(Kind::Daily, 72), (Kind::Weekly, 3 * 7 * 24)] {
        let mut figures = figures(kind, 100, 100);
        figures.now.zero_results = figures.now.searches;
        let alert = alerts(&figures, &Thresholds::default(), now).remove(0);
        assert_eq!(alert.ends_at, Some(now + SignedDuration::from_hours(hours)));
    }
}

#[test]
fn of_too_few_searches_nothing_is_said() {
    let mut few = figures(Kind::Daily, 4, 100);
    few.now.zero_results = few.now.searches;
    assert_eq!(few.now.searches, 96);
    assert_eq!(raised(&few), []);
}
