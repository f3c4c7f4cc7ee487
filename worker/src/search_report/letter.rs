//! What the template shows: figures, charts and tables, as texts and drawings.

use chart::{ChartError, Format, Style, number};
use serde_json::{Value, json};
use store::{QuerySort, SearchQuery};
use uuid::Uuid;

use super::figure::{Figure, compared};
use super::figures::Figures;
use super::period::Kind;
use super::queries;

/// Nothing was counted.
const NOTHING: &str = "No search was recorded in this time: there are no figures.";
/// There is nothing to compare with.
const NOTHING_BEFORE: &str = "No search was recorded in the time before: there is nothing to compare with.";

/// The data of the template `search_report`. `id` is the mail's: content ids of its charts are made of it. `base` is where
/// the pages of this installation are.
///
/// # Errors
/// A chart that cannot be drawn, which figures that were counted cannot make.
pub fn data(figures: &Figures, id: Uuid, base: &str) -> Result<Value, ChartError> {
    let period = figures.period;
    let (every, title) = match period.kind {
        Kind::Daily => ("an hour", "Daily search report"),
        Kind::Weekly => ("a day", "Weekly search report"),
    };
    let mut metrics: Vec<_> = Figure::ALL.iter().map(|figure| figure.compared(&figures.now, &figures.before)).collect();
    metrics.insert(1, searchers(figures));
    let note = match (figures.now.searches, figures.before.searches) {
        (0, _) => Some(NOTHING),
        (_, 0) => Some(NOTHING_BEFORE),
        _ => None,
    };
    let charts = match figures.now.searches {
        // A picture of nothing says nothing.
        0 => Vec::new(),
        _ => vec![
            drawn(&Figure::SEARCHES, &format!("Searches {every}"), "searches", figures, id)?,
            drawn(&Figure::FOUND_NOTHING, "Searches that found nothing", "found-nothing", figures, id)?,
            drawn(&Figure::BOOKED, "Searches that led to a booking", "booked", figures, id)?,
        ],
    };
    let tables = figures.queries.iter().filter(|(_, queries)| !queries.is_empty());
    Ok(json!({
        "title": title,
        "period": format!("{} (UTC)", period.words()),
        "compared_with": period.previous().words(),
        "note": note,
        "metrics": metrics,
        "charts": charts,
        "tables": tables.map(|(sort, queries)| table(*sort, queries)).collect::<Vec<_>>(),
        "url": format!("{base}/search?from={}&to={}", period.first, period.last()),
        // Filled in when the mail goes: a link for this reader.
        "unsubscribe_url": null,
    }))
}

fn searchers(figures: &Figures) -> super::Compared {
    let name = match figures.period.kind {
        Kind::Daily => "Searchers",
        Kind::Weekly => "Searchers a day",
    };
    compared(name, Format::Count, true, figures.searchers, figures.searchers_before)
}

fn drawn(figure: &Figure, title: &str, name: &str, figures: &Figures, id: Uuid) -> Result<Value, ChartError> {
    let period = figures.period;
    let names = match period.kind {
        Kind::Daily => ("This day", "The day before"),
        Kind::Weekly => ("This week", "The week before"),
    };
    let labels: Vec<String> = figures.points.iter().map(|point| period.label(point.starts_at)).collect();
    let style = match (period.kind, figure.format) {
        (Kind::Daily, Format::Count) => Style::Bars,
        _ => Style::Lines,
    };
    let chart = figure.chart(style, labels, names, &figures.points, &figures.points_before)?;
    let full = |value: Option<f64>| value.map(|value| number::full(value, figure.format));
    let [now, before] = [0, 1].map(|n: usize| chart.series()[n].values.iter().map(|value| full(*value)));
    let rows: Vec<Value> = chart
        .labels()
        .iter()
        .zip(now.zip(before))
        .map(|(label, (now, before))| json!({ "label": label, "now": now, "before": before }))
        .collect();
    let alt = chart::words(&chart, title);
    // World-unique, as RFC 2392 §2 asks, and the same in every attempt.
    let cid = format!("{name}.{}@postrider", id.simple());
    Ok(json!({ "cid": cid, "title": title, "alt": alt, "rows": rows, "drawing": chart }))
}

fn table(sort: QuerySort, queries: &[SearchQuery]) -> Value {
    let rows = queries.iter().map(|query| {
        json!({
            "query": queries::shown(&query.query),
            "searches": queries::count(query.searches),
            "detail": queries::detail(sort, query),
        })
    });
    json!({
        "title": queries::title(sort),
        "detail_name": queries::detail_name(sort),
        "queries": rows.collect::<Vec<_>>(),
    })
}
