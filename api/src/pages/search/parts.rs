//! The figures by kind of search and by device.

use std::collections::BTreeMap;

use store::SearchMetrics;
use worker::search_report::Figure;

use super::{or_dash, push};
use crate::pages::template::escape;

/// Rows of one table.
const MOST: usize = 20;

/// Two tables, side by side where there is room.
pub(super) fn parts(kinds: &[SearchMetrics], devices: &[SearchMetrics]) -> String {
    table("By kind", kinds, |row| row.kind.as_deref()) + &table("By device", devices, |row| row.device.as_deref())
}

fn table(title: &str, rows: &[SearchMetrics], name: fn(&SearchMetrics) -> Option<&str>) -> String {
    let mut out = format!(r#"<div class="card"><h2>{title}</h2>"#);
    if rows.is_empty() {
        out.push_str(r#"<p class="nothing">Nobody searched in this time.</p></div>"#);
        return out;
    }
    out.push_str(r#"<div class="wide"><table><thead><tr><th scope="col"></th>"#);
    const COLUMNS: [Figure; 4] = [Figure::SEARCHES, Figure::FOUND_NOTHING, Figure::CLICKED, Figure::BOOKED];
    for figure in COLUMNS {
        push(&mut out, format_args!(r#"<th scope="col">{}</th>"#, figure.name));
    }
    out.push_str("</tr></thead><tbody>");
    for row in rows.iter().take(MOST) {
        push(&mut out, format_args!(r#"<tr><th scope="row">{}</th>"#, escape(name(row).unwrap_or_default())));
        for figure in COLUMNS {
            push(&mut out, format_args!("<td>{}</td>", or_dash(figure.text(row).as_deref())));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div></div>");
    out
}

/// Rows of single windows, added up by `name`, those with the most searches first.
pub fn by(rows: &[SearchMetrics], name: fn(&SearchMetrics) -> Option<&str>) -> Vec<SearchMetrics> {
    let mut groups: BTreeMap<&str, Vec<&SearchMetrics>> = BTreeMap::new();
    for row in rows {
        if let Some(name) = name(row) {
            groups.entry(name).or_default().push(row);
        }
    }
    let mut totals: Vec<SearchMetrics> = groups.into_values().filter_map(SearchMetrics::total).collect();
    totals.sort_by_key(|total| std::cmp::Reverse(total.searches));
    totals
}
