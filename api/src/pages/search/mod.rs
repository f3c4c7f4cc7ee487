//! The page of what people searched for: figures, charts over time, queries, and parts by kind and device. Made whole on
//! the server: there is no script in it. See `search.html` for its frame.

mod asked;
mod parts;

use std::fmt::Write;

use chart::Size;
use jiff::Timestamp;
use store::{QuerySort, SearchMetrics, SearchQuery};
use worker::search_report::{Figure, Verdict, queries as words};

pub use asked::{Asked, Range};
pub use parts::by;

use super::template::{escape, fill};

/// The page's style sheet.
pub const CSS: &str = include_str!("search.css");

const FRAME: &str = include_str!("search.html");
/// How large a chart is drawn; it grows and shrinks with its place.
const CHART: Size = Size { width: 440, height: 210 };

/// What is shown.
#[derive(Debug, Clone)]
pub struct Shown {
    /// What was asked for.
    pub asked: Asked,
    /// Point by point.
    pub points: Vec<SearchMetrics>,
    /// The time before, point by point.
    pub points_before: Vec<SearchMetrics>,
    /// The whole time by kind of search, without the filter by kind.
    pub kinds: Vec<SearchMetrics>,
    /// The whole time by device, without the filter by device.
    pub devices: Vec<SearchMetrics>,
    /// The queries that were asked for; they are not told apart by kind and device.
    pub queries: Vec<SearchQuery>,
    /// When something of it was last counted.
    pub counted_at: Option<Timestamp>,
    /// Whether the pages of `postrider dev` are there too.
    pub dev: bool,
}

/// The page.
pub fn page(shown: &Shown) -> String {
    let asked = &shown.asked;
    let nothing = || SearchMetrics::empty(asked.range.from);
    let now = SearchMetrics::total(&shown.points).unwrap_or_else(nothing);
    let before = SearchMetrics::total(&shown.points_before).unwrap_or_else(nothing);
    let note = match (now.searches, before.searches) {
        (0, _) => r#"<p class="note">No search was recorded in this time: there are no figures.</p>"#,
        (_, 0) => r#"<p class="note">No search was recorded in the time before: there is nothing to compare with.</p>"#,
        _ => "",
    };
    let nav = match shown.dev {
        true => r#"<a href="/mailbox">Mailbox</a> <a href="/mailbox/templates">Templates</a> <a href="/docs/">API</a>"#,
        false => r#"<a href="/docs/">API</a>"#,
    };
    let updated = match shown.counted_at {
        Some(at) => format!("Last counted {}.", at.strftime("%-d %B %Y, %H:%M")),
        None => "Nothing of this time was counted yet.".to_owned(),
    };
    let slots = [
        ("nav", nav),
        ("title", &escape(&asked.range.title())),
        ("subtitle", &escape(&asked.subtitle())),
        ("periods", &asked.periods()),
        ("filters", &asked.filters(&shown.kinds, &shown.devices)),
        ("note", note),
        ("tiles", &tiles(&now, &before)),
        ("charts", &charts(shown)),
        ("tabs", &asked.tabs()),
        ("queries", &queries(shown)),
        ("parts", &parts::parts(&shown.kinds, &shown.devices)),
        ("updated", &updated),
    ];
    fill(FRAME, &slots)
}

fn tiles(now: &SearchMetrics, before: &SearchMetrics) -> String {
    let mut out = String::new();
    for figure in Figure::ALL {
        let compared = figure.compared(now, before);
        let (class, what) = match compared.verdict {
            Verdict::Better => ("better", " better"),
            Verdict::Worse => ("worse", " worse"),
            Verdict::Even => ("even", ""),
        };
        let change = compared.change.map(|change| {
            // Not by its colour alone.
            format!(r#" <span class="{class}" title="{what}">{}</span>"#, escape(&change), what = what.trim())
        });
        push(
            &mut out,
            format_args!(
                r#"<div class="tile"><h2>{}</h2><p class="value">{}</p><p class="was">was {}{}</p></div>"#,
                figure.name,
                or_dash(compared.value.as_deref()),
                or_dash(compared.previous.as_deref()),
                change.unwrap_or_default(),
            ),
        );
    }
    out
}

fn charts(shown: &Shown) -> String {
    let range = &shown.asked.range;
    let labels: Vec<String> = shown.points.iter().map(|point| range.label(point.starts_at)).collect();
    let mut out = String::new();
    for (figure, title) in [
        (Figure::SEARCHES, "Searches"),
        (Figure::FOUND_NOTHING, "Searches that found nothing"),
        (Figure::CLICKED, "Searches with a click"),
        (Figure::BOOKED, "Searches that led to a booking"),
        (Figure::PLACE, "Mean place of what was clicked, 1 is the first"),
        (Figure::ABANDONED, "Searches that nothing followed"),
    ] {
        let names = ("This time", "The time before");
        let drawn = figure.chart(chart::Style::Lines, labels.clone(), names, &shown.points, &shown.points_before);
        let body = match drawn {
            Ok(chart) => chart::svg(&chart, CHART, &chart::words(&chart, title)),
            Err(why) => format!(r#"<p class="nothing">{}</p>"#, escape(&why.to_string())),
        };
        push(&mut out, format_args!(r#"<div class="card"><h2>{title}</h2><figure>{body}</figure></div>"#));
    }
    out
}

fn queries(shown: &Shown) -> String {
    let sort = shown.asked.sort;
    if shown.queries.is_empty() {
        return format!(r#"<p class="nothing">{}</p>"#, asked::none_of(sort));
    }
    let mut rows = String::new();
    for query in &shown.queries {
        let rate = |part| words::share(part, query.searches);
        push(
            &mut rows,
            format_args!(
                r#"<tr><th scope="row" dir="auto">{}</th><td>{}</td><td class="spare">{}</td><td>{}</td><td>{}</td><td class="spare">{}</td></tr>"#,
                escape(&words::shown(&query.query)),
                words::count(query.searches),
                words::count(query.previous_searches),
                or_dash(rate(query.zero_results).as_deref()),
                or_dash(rate(query.clicked).as_deref()),
                or_dash(rate(query.booked).as_deref()),
            ),
        );
    }
    let caption = match (&shown.asked.kind, &shown.asked.device) {
        (None, None) => asked::meaning(sort).to_owned(),
        _ => format!("{} Of all kinds and devices: queries are not counted apart.", asked::meaning(sort)),
    };
    format!(
        r#"<div class="wide"><table><caption>{caption}</caption><thead><tr><th scope="col">Query</th><th scope="col">Searches</th><th scope="col" class="spare">Before</th><th scope="col">Found nothing</th><th scope="col">Clicked</th><th scope="col" class="spare">Booked</th></tr></thead><tbody>{rows}</tbody></table></div>"#
    )
}

fn or_dash(text: Option<&str>) -> String {
    text.map_or_else(|| r#"<span title="not known">–</span>"#.to_owned(), escape)
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing into a string cannot fail");
}

/// The word of a sort, as the tab has it.
const fn tab(sort: QuerySort) -> &'static str {
    match sort {
        QuerySort::Popular => "Popular",
        QuerySort::Trending => "Trending",
        QuerySort::Problem => "Problems",
        QuerySort::Zero => "Found nothing",
    }
}

#[cfg(test)]
mod tests;
