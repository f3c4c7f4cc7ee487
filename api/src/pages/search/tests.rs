//! The page with figures: what it says of them, and that what people typed is text.

use jiff::SignedDuration;
use store::{QuerySort, SearchMetrics, SearchQuery};

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Thirty days that rise, with one of which nothing is known.
fn points(from: Timestamp, high: u64) -> Vec<SearchMetrics> {
    (0..30)
        .map(|day| {
            let searches = if day == 12 { 0 } else { high + (day * 37) % 400 + day * 9 };
            SearchMetrics {
                searches,
                zero_results: searches / 14,
                clicked: searches * 2 / 5,
                positions: searches / 2,
                position_sum: searches,
                booked: searches / 25,
                abandoned: searches / 2,
                ..SearchMetrics::empty(from + SignedDuration::from_hours(24 * i64::try_from(day).unwrap()))
            }
        })
        .collect()
}

fn query(text: &str, searches: u64) -> SearchQuery {
    SearchQuery {
        query: text.to_owned(),
        searches,
        zero_results: searches / 7,
        few_results: searches / 5,
        clicked: searches / 2,
        booked: 0,
        previous_searches: searches / 3,
        previous_zero_results: 0,
    }
}

fn shown() -> Shown {
    let now = at("2026-11-25T10:20:00Z");
    let range = Range::until(now, Some("30d")).unwrap();
    let part = |kind: Option<&str>, device: Option<&str>, searches| SearchMetrics {
        kind: kind.map(str::to_owned),
        device: device.map(str::to_owned),
        searches,
        clicked: searches / 3,
        ..SearchMetrics::empty(range.from)
    };
    Shown {
        points: points(range.from, 1200),
        points_before: points(range.before().0, 1000),
        kinds: vec![part(Some("tutor"), None, 20_100), part(Some("<b>lesson</b>"), None, 900)],
        devices: vec![part(None, Some("mobile"), 14_000), part(None, Some("desktop"), 7_000)],
        queries: vec![
            query("german b1", 412),
            query("<script>alert('x')</script>", 388),
            query("matemáticas", 301),
            query("", 4),
        ],
        asked: Asked { range, kind: None, device: None, sort: QuerySort::Popular },
        dev: true,
        counted_at: Some(now),
    }
}

#[test]
fn every_figure_is_told_and_compared() {
    let html = page(&shown());
    for said in ["Search, the last 30 days", "<h2>Searches</h2>", "was 38,058", "class=\"better\" title=\"better\">+"] {
        assert!(html.contains(said), "{said}: {html}");
    }
    assert_eq!(html.matches("<svg").count(), 6);
    assert!(html.contains("no data</title>"), "a day without searches has no rates");
    assert!(!html.contains("{{"), "{html}");
}

#[test]
fn what_people_typed_is_text() {
    let html = page(&shown());
    assert!(!html.contains("<script") && !html.contains("<b>lesson"), "{html}");
    assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)") && html.contains("(nothing typed)"), "{html}");
}

#[test]
fn what_is_not_known_is_a_dash_and_not_zero() {
    let html = page(&Shown { points: Vec::new(), points_before: Vec::new(), ..shown() });
    assert!(html.contains("No search was recorded in this time"), "{html}");
    assert_eq!(html.matches("<p class=\"value\"><span title=\"not known\">–</span></p>").count(), 5);
    assert!(html.contains("<h2>Searches</h2><p class=\"value\">0</p>"), "{html}");
}

#[test]
fn queries_are_said_not_to_be_told_apart_where_a_filter_is_set() {
    let mut filtered = shown();
    assert!(!page(&filtered).contains("Of all kinds and devices"));
    filtered.asked.kind = Some("tutor".to_owned());
    assert!(page(&filtered).contains("Of all kinds and devices"));
}
