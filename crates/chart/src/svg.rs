//! A chart as SVG, to stand within a page of our own.
//!
//! It has no colours: every part has a class, and the page's style sheet says what a class looks like, in the light and in
//! the dark. A column under the pointer tells its figures (`<title>`, which needs no script).

use std::fmt::Write;

use crate::layout::{Anchor, KEY, Shape, Size, layout};
use crate::model::{Chart, Style};
use crate::number;

/// The chart as an `<svg>` element that is as wide as its place. `alt` says what it shows.
///
/// Classes: `rule`, `zero`, `word`, and `sN` with `line`, `area`, `dot`, `bar` or `key` for series N, from 0; `column`.
#[must_use]
pub fn svg(chart: &Chart, size: Size, alt: &str) -> String {
    let placed = layout(chart, size);
    let mut out = format!(
        r#"<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}" xmlns="http://www.w3.org/2000/svg">"#,
        size.width,
        size.height,
        escape(alt)
    );
    for shape in &placed.shapes {
        write(&mut out, shape, chart.style());
    }
    let (top, bottom) = placed.plot;
    for (n, (from, to)) in placed.columns.iter().enumerate() {
        let (x, width, height) = (r(*from), r(to - from), r(bottom - top));
        push(
            &mut out,
            format_args!(
                r#"<rect class="column" x="{x}" y="{top}" width="{width}" height="{height}"><title>{}</title></rect>"#,
                escape(&told(chart, n))
            ),
        );
    }
    out.push_str("</svg>");
    out
}

/// The figures of a label, one series a line.
fn told(chart: &Chart, n: usize) -> String {
    let mut text = chart.labels()[n].clone();
    for series in chart.series() {
        let figure = series.values[n].map_or_else(|| "no data".to_owned(), |v| number::full(v, chart.format()));
        push(&mut text, format_args!("\n{}: {figure}", series.name));
    }
    text
}

fn write(out: &mut String, shape: &Shape, style: Style) {
    match shape {
        Shape::Rule { y, from, to, zero } => {
            let class = if *zero { "zero" } else { "rule" };
            push(out, format_args!(r#"<path class="{class}" d="M{} {y}H{}"/>"#, r(*from), r(*to)));
        }
        Shape::Text { x, y, anchor, text } => {
            let anchor = match anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            push(
                out,
                format_args!(
                    r#"<text class="word" x="{}" y="{}" text-anchor="{anchor}">{}</text>"#,
                    r(*x),
                    r(*y),
                    escape(text)
                ),
            );
        }
        Shape::Key { series, x, y } => {
            let (top, height) = if style == Style::Bars { (y - 5.0, 10.0) } else { (y - 1.5, 3.0) };
            push(
                out,
                format_args!(
                    r#"<rect class="key s{series}" x="{}" y="{top}" width="{KEY}" height="{height}"/>"#,
                    r(*x)
                ),
            );
        }
        Shape::Line { series, points } => {
            push(out, format_args!(r#"<path class="line s{series}" d="{}"/>"#, path(points)));
        }
        Shape::Area { series, points, floor } => {
            let first = points.first().map_or(0.0, |(x, _)| *x);
            push(
                out,
                format_args!(r#"<path class="area s{series}" d="{}V{}H{}Z"/>"#, path(points), r(*floor), r(first)),
            );
        }
        Shape::Dot { series, x, y } => {
            push(out, format_args!(r#"<circle class="dot s{series}" cx="{}" cy="{}" r="3"/>"#, r(*x), r(*y)));
        }
        Shape::Bar { series, x, y, width, height } => push(
            out,
            format_args!(
                r#"<rect class="bar s{series}" x="{}" y="{}" width="{}" height="{}"/>"#,
                r(*x),
                r(*y),
                r(*width),
                r(*height)
            ),
        ),
    }
}

fn path(points: &[(f32, f32)]) -> String {
    let mut out = String::new();
    for (n, (x, y)) in points.iter().enumerate() {
        push(&mut out, format_args!("{}{} {}", if n == 0 { "M" } else { "L" }, r(*x), r(*y)));
    }
    out
}

/// To a tenth of a pixel.
fn r(value: f32) -> f32 {
    (value * 10.0).round() / 10.0
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing into a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Format, Series};

    #[test]
    fn names_and_labels_are_text_whatever_they_hold() {
        let name = "<script>alert('x')</script>".to_owned();
        let series = vec![
            Series { name: name.clone(), values: vec![Some(1.0)] },
            Series { name: "before & \"after\"".to_owned(), values: vec![None] },
        ];
        let chart = Chart::new(Style::Bars, Format::Count, vec![name], series).unwrap();
        let drawn = svg(&chart, Size::MAIL, "\"><script>");
        assert!(!drawn.contains("<script") && drawn.contains("&lt;script&gt;"), "{drawn}");
        assert!(drawn.contains("aria-label=\"&quot;&gt;&lt;script&gt;\""), "{drawn}");
        assert!(drawn.contains("before &amp; &quot;after&quot;: no data</title>"), "{drawn}");
    }
}
