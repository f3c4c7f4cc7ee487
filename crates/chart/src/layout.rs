//! Where everything goes: a chart becomes lines, bars, dots and words at their places, for whoever draws them.
//!
//! 1. Above, if there are several series, what each of them is.
//! 2. At the left the axis in round numbers, with a rule across for each; below the labels, as many as there is room for.
//! 3. The series: the first one stands in front and has its area tinted. A gap breaks a line; a point between two gaps is a
//!    dot, for a line of one point cannot be seen.

use crate::font;
use crate::model::{Chart, Style};
use crate::number;
use crate::scale::Scale;

/// How large a picture is shown, in pixels of a page (CSS pixels).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// From left to right.
    pub width: u16,
    /// From top to bottom.
    pub height: u16,
}

impl Size {
    /// The size in mails: as wide as the card that they are written on.
    pub const MAIL: Self = Self { width: 480, height: 208 };
}

/// The height of the letters, in pixels.
pub(crate) const TEXT: f32 = 12.0;
/// The width of the sign before the name of a series.
pub(crate) const KEY: f32 = 14.0;
/// Points of a line that are close to each other need no dots.
const DOTS_UP_TO: usize = 40;
/// How many labels are left out between two, as people count hours, days and months.
const STRIDES: [usize; 12] = [1, 2, 3, 4, 6, 7, 8, 12, 14, 24, 28, 30];

/// Which end of a text its place means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// One thing to draw. Places are in pixels from the upper left corner; `series` counts from 0.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    /// A rule across; the one at zero is `zero`.
    Rule { y: f32, from: f32, to: f32, zero: bool },
    /// Words, with the middle of their base line's left end, middle or right end at the place.
    Text { x: f32, y: f32, anchor: Anchor, text: String },
    /// The sign of a series before its name.
    Key { series: usize, x: f32, y: f32 },
    /// A line through at least two points.
    Line { series: usize, points: Vec<(f32, f32)> },
    /// What is below a line.
    Area { series: usize, points: Vec<(f32, f32)>, floor: f32 },
    /// A point of its own.
    Dot { series: usize, x: f32, y: f32 },
    /// A bar.
    Bar { series: usize, x: f32, y: f32, width: f32, height: f32 },
}

/// A chart that is ready to be drawn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    pub(crate) shapes: Vec<Shape>,
    /// For each label where its column begins and ends.
    pub(crate) columns: Vec<(f32, f32)>,
    /// Where the columns begin and end from top to bottom.
    pub(crate) plot: (f32, f32),
}

/// The place that is left for the series.
struct Plot {
    left: f32,
    right: f32,
    top: f32,
    bottom: f32,
    scale: Scale,
}

impl Plot {
    fn y(&self, value: f64) -> f32 {
        #[expect(clippy::cast_possible_truncation, reason = "from 0 to 1")]
        let share = (value / self.scale.top()) as f32;
        self.bottom - (self.bottom - self.top) * share
    }

    /// The width of a column.
    fn band(&self, columns: usize) -> f32 {
        (self.right - self.left) / count(columns)
    }

    /// The middle of a column.
    fn x(&self, column: usize, columns: usize) -> f32 {
        self.left + self.band(columns) * (count(column) + 0.5)
    }
}

/// Puts a chart into its places.
pub(crate) fn layout(chart: &Chart, size: Size) -> Layout {
    let (width, height) = (f32::from(size.width), f32::from(size.height));
    let scale = Scale::new(chart.greatest().unwrap_or(0.0), chart.format());
    let marks: Vec<(f64, String)> =
        scale.marks().map(|value| (value, number::at_axis(value, scale.step, chart.format()))).collect();
    let widest = marks.iter().map(|(_, text)| font::width(text, TEXT)).fold(0.0, f32::max);
    let left = (widest + 10.0).ceil();
    let plot = Plot {
        left,
        // Of a picture that is too narrow for its axis, a strip is left.
        right: (width - 8.0).max(left + 1.0),
        top: if chart.series().len() > 1 { 34.0 } else { 12.0 },
        bottom: height - 26.0,
        scale,
    };
    let mut shapes = Vec::new();
    for (value, text) in marks {
        let y = plot.y(value).round();
        shapes.push(Shape::Rule { y, from: plot.left, to: plot.right, zero: value == 0.0 });
        shapes.push(Shape::Text { x: plot.left - 7.0, y: y + 4.0, anchor: Anchor::End, text });
    }
    labels(chart, &plot, width, &mut shapes);
    if chart.series().len() > 1 {
        legend(chart, &plot, width, &mut shapes);
    }
    if chart.greatest().is_none() {
        let (x, y) = ((plot.left + plot.right) / 2.0, (plot.top + plot.bottom) / 2.0);
        shapes.push(Shape::Text { x, y, anchor: Anchor::Middle, text: "no data".to_owned() });
    }
    match chart.style() {
        Style::Lines => lines(chart, &plot, &mut shapes),
        Style::Bars => bars(chart, &plot, &mut shapes),
    }
    let columns = chart.labels().len();
    let half = plot.band(columns) / 2.0;
    let columns = (0..columns).map(|n| (plot.x(n, columns) - half, plot.x(n, columns) + half)).collect();
    Layout { shapes, columns, plot: (plot.top, plot.bottom) }
}

/// What stands below, as far apart as the widest needs.
fn labels(chart: &Chart, plot: &Plot, width: f32, shapes: &mut Vec<Shape>) {
    let columns = chart.labels().len();
    let widest = chart.labels().iter().map(|label| font::width(label, TEXT)).fold(0.0, f32::max);
    let fits = |stride: &usize| plot.band(columns) * count(*stride) >= widest + 10.0;
    let stride = STRIDES.into_iter().chain(31..columns).find(fits).unwrap_or(columns.max(1));
    for (n, label) in chart.labels().iter().enumerate().step_by(stride) {
        // The first and the last may be wider than their columns, but not than the picture.
        let half = font::width(label, TEXT) / 2.0;
        let x = plot.x(n, columns).clamp(half.min(width / 2.0), (width - half).max(width / 2.0));
        shapes.push(Shape::Text { x, y: plot.bottom + 18.0, anchor: Anchor::Middle, text: label.clone() });
    }
}

/// What each series is, from the left; those that find no room are left out.
fn legend(chart: &Chart, plot: &Plot, width: f32, shapes: &mut Vec<Shape>) {
    let mut x = plot.left;
    for (series, one) in chart.series().iter().enumerate() {
        let end = x + KEY + 6.0 + font::width(&one.name, TEXT);
        if end > width {
            return;
        }
        shapes.push(Shape::Key { series, x, y: 14.0 });
        shapes.push(Shape::Text { x: x + KEY + 6.0, y: 18.0, anchor: Anchor::Start, text: one.name.clone() });
        x = end + 18.0;
    }
}

/// The first series last, so that it stands in front; its area behind them all.
fn lines(chart: &Chart, plot: &Plot, shapes: &mut Vec<Shape>) {
    let columns = chart.labels().len();
    let behind = shapes.len();
    for (series, one) in chart.series().iter().enumerate().rev() {
        let place = |(n, value): (usize, &Option<f64>)| value.map(|value| (plot.x(n, columns), plot.y(value)));
        let places: Vec<Option<(f32, f32)>> = one.values.iter().enumerate().map(place).collect();
        let runs = places.split(Option::is_none).filter(|run| !run.is_empty());
        for run in runs {
            let points: Vec<(f32, f32)> = run.iter().copied().flatten().collect();
            if series == 0 && points.len() > 1 {
                shapes.insert(behind, Shape::Area { series, points: points.clone(), floor: plot.bottom });
            }
            let dots = points.len() == 1 || (series == 0 && columns <= DOTS_UP_TO);
            let at: Vec<(f32, f32)> = if dots { points.clone() } else { Vec::new() };
            if points.len() > 1 {
                shapes.push(Shape::Line { series, points });
            }
            shapes.extend(at.into_iter().map(|(x, y)| Shape::Dot { series, x, y }));
        }
    }
}

fn bars(chart: &Chart, plot: &Plot, shapes: &mut Vec<Shape>) {
    let (columns, beside) = (chart.labels().len(), chart.series().len());
    let group = (plot.band(columns) * 0.72).min(28.0 * count(beside));
    let width = group / count(beside);
    for (series, one) in chart.series().iter().enumerate() {
        for (n, value) in one.values.iter().enumerate() {
            let Some(value) = value.filter(|value| *value > 0.0) else { continue };
            let x = plot.x(n, columns) - group / 2.0 + width * count(series);
            let y = plot.y(value);
            shapes.push(Shape::Bar { series, x, y, width: (width - 1.0).max(0.5), height: plot.bottom - y });
        }
    }
}

/// A count of things on a picture: far below where a float would round.
#[expect(clippy::cast_precision_loss, reason = "at most 1000 labels and 4 series")]
fn count(n: usize) -> f32 {
    n as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Format, Series};

    fn chart(style: Style, values: &[&[Option<f64>]]) -> Chart {
        let labels = (0..values[0].len()).map(|n| format!("Day {n}")).collect();
        let series = |(n, values): (usize, &&[Option<f64>])| Series { name: format!("S{n}"), values: values.to_vec() };
        Chart::new(style, Format::Count, labels, values.iter().enumerate().map(series).collect()).unwrap()
    }

    fn shapes(chart: &Chart) -> Vec<Shape> {
        layout(chart, Size::MAIL).shapes
    }

    #[test]
    fn a_gap_breaks_the_line_and_a_lone_point_is_a_dot() {
        let one = Some(1.0);
        let drawn = shapes(&chart(Style::Lines, &[&[one, one, None, one, None, one, one, one]]));
        let lines: Vec<usize> = drawn
            .iter()
            .filter_map(|shape| match shape {
                Shape::Line { points, .. } => Some(points.len()),
                _ => None,
            })
            .collect();
        assert_eq!(lines, [2, 3]);
        assert_eq!(drawn.iter().filter(|shape| matches!(shape, Shape::Dot { .. })).count(), 6);
    }

    #[test]
    fn nothing_known_is_said_and_nothing_is_drawn() {
        let drawn = shapes(&chart(Style::Bars, &[&[None, None]]));
        assert!(drawn.iter().any(|shape| matches!(shape, Shape::Text { text, .. } if text == "no data")));
        assert!(!drawn.iter().any(|shape| matches!(shape, Shape::Bar { .. } | Shape::Line { .. })));
    }

    #[test]
    fn the_first_series_stands_in_front() {
        let drawn = shapes(&chart(Style::Lines, &[&[Some(1.0), Some(2.0)], &[Some(3.0), Some(1.0)]]));
        let order: Vec<usize> = drawn
            .iter()
            .filter_map(|shape| match shape {
                Shape::Line { series, .. } => Some(*series),
                _ => None,
            })
            .collect();
        assert_eq!(order, [1, 0]);
    }

    #[test]
    fn everything_is_within_the_picture_however_long_the_labels() {
        let labels: Vec<String> = (0..200).map(|n| format!("Wednesday, the {n}th of November")).collect();
        let values = (0..200).map(|n| Some(f64::from(n) * 1e9)).collect();
        let series = vec![Series { name: "Searches".to_owned(), values }];
        let chart = Chart::new(Style::Bars, Format::Count, labels, series).unwrap();
        for shape in shapes(&chart) {
            let (from, to) = match shape {
                Shape::Text { x, anchor, text, .. } => {
                    let width = font::width(&text, TEXT);
                    match anchor {
                        Anchor::Start => (x, x + width),
                        Anchor::Middle => (x - width / 2.0, x + width / 2.0),
                        Anchor::End => (x - width, x),
                    }
                }
                Shape::Bar { x, width, .. } => (x, x + width),
                _ => continue,
            };
            assert!(from >= -0.01 && to <= 480.01, "{from}…{to}");
        }
    }
}
