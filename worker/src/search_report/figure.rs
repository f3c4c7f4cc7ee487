//! The figures that reports and pages show: what they are called, how they are written, which way is better.

use chart::{Chart, ChartError, Format, Series, Style, number};
use serde::Serialize;
use store::SearchMetrics;

/// A figure.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// What it is called.
    pub name: &'static str,
    /// How it is written.
    pub format: Format,
    /// Whether more of it is better; otherwise less.
    pub more_is_better: bool,
    of: fn(&SearchMetrics) -> Option<f64>,
}

/// A figure beside what it was before. In JSON as the template `search_report` takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// What it is called.
    pub name: &'static str,
    /// The figure; none: not known.
    pub value: Option<String>,
    /// What it was before.
    pub previous: Option<String>,
    /// How it has changed; none where there is nothing to compare.
    pub change: Option<String>,
    /// Whether that is good.
    pub verdict: Verdict,
}

/// What a change means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is better than before.
    Better,
    /// It is worse.
    Worse,
    /// About the same, or not known.
    Even,
}

impl Figure {
    const fn new(name: &'static str, format: Format, of: fn(&SearchMetrics) -> Option<f64>) -> Self {
        Self { name, format, more_is_better: true, of }
    }

    const fn less_is_better(self) -> Self {
        Self { more_is_better: false, ..self }
    }

    /// How often people searched.
    pub const SEARCHES: Self = Self::new("Searches", Format::Count, searches);
    /// Searches without a result / searches.
    pub const FOUND_NOTHING: Self =
        Self::new("Found nothing", Format::Percent, SearchMetrics::zero_result_rate).less_is_better();
    /// Searches with a click / searches.
    pub const CLICKED: Self = Self::new("Clicked", Format::Percent, SearchMetrics::click_through_rate);
    /// The mean place of clicks, from 1.
    pub const PLACE: Self =
        Self::new("Place of clicks", Format::Decimal, SearchMetrics::mean_click_position).less_is_better();
    /// Searches that nothing followed / searches.
    pub const ABANDONED: Self = Self::new("Abandoned", Format::Percent, SearchMetrics::abandonment).less_is_better();
    /// Searches that led to a booking / searches.
    pub const BOOKED: Self = Self::new("Booked", Format::Percent, SearchMetrics::booking_conversion);

    /// All, in the order in which they are shown.
    pub const ALL: [Self; 6] =
        [Self::SEARCHES, Self::FOUND_NOTHING, Self::CLICKED, Self::PLACE, Self::ABANDONED, Self::BOOKED];

    /// Its value; none: not known.
    #[must_use]
    pub fn value(&self, metrics: &SearchMetrics) -> Option<f64> {
        (self.of)(metrics).filter(|value| value.is_finite() && *value >= 0.0)
    }

    /// Its value as it is written.
    #[must_use]
    pub fn text(&self, metrics: &SearchMetrics) -> Option<String> {
        self.value(metrics).map(|value| number::full(value, self.format))
    }

    /// Beside what it was before.
    #[must_use]
    pub fn compared(&self, now: &SearchMetrics, before: &SearchMetrics) -> Compared {
        compared(self.name, self.format, self.more_is_better, self.value(now), self.value(before))
    }

    /// Point by point, beside the points before, which `names` are the names of.
    ///
    /// # Errors
    /// What cannot be drawn: no points, or more than a chart has.
    pub fn chart(
        &self,
        style: Style,
        labels: Vec<String>,
        names: (&str, &str),
        now: &[SearchMetrics],
        before: &[SearchMetrics],
    ) -> Result<Chart, ChartError> {
        let points = labels.len();
        let series = |name: &str, metrics: &[SearchMetrics]| {
            let mut values: Vec<Option<f64>> = metrics.iter().map(|point| self.value(point)).collect();
            values.resize(points, None);
            Series { name: name.to_owned(), values }
        };
        Chart::new(style, self.format, labels, vec![series(names.0, now), series(names.1, before)])
    }
}

#[expect(clippy::cast_precision_loss, clippy::unnecessary_wraps, reason = "far below 2^53; as the other figures")]
fn searches(metrics: &SearchMetrics) -> Option<f64> {
    Some(metrics.searches as f64)
}

/// A value beside what it was before.
#[must_use]
pub fn compared(
    name: &'static str,
    format: Format,
    more_is_better: bool,
    now: Option<f64>,
    before: Option<f64>,
) -> Compared {
    let full = |value: Option<f64>| value.map(|value| number::full(value, format));
    let (change, verdict) = match now.zip(before) {
        None => (None, Verdict::Even),
        Some((now, before)) => {
            let (change, size, least) = change(format, now, before);
            let verdict = match (size.abs() < least, (size > 0.0) == more_is_better) {
                (true, _) => Verdict::Even,
                (_, true) => Verdict::Better,
                (_, false) => Verdict::Worse,
            };
            (change, verdict)
        }
    };
    Compared { name, value: full(now), previous: full(before), change, verdict }
}

/// The change in words, how large it is, and from which size on it is one. Counts are compared with what they were, shares
/// by percentage points.
fn change(format: Format, now: f64, before: f64) -> (Option<String>, f64, f64) {
    let signed = |value: f64, unit: &str| {
        let sign = if value < -0.05 { "\u{2212}" } else { "+" };
        format!("{sign}{:.1}{unit}", value.abs())
    };
    match format {
        Format::Count if before == 0.0 => (None, now, 1.0),
        Format::Count => (Some(signed((now / before - 1.0) * 100.0, " %")), now / before - 1.0, 0.01),
        Format::Percent => (Some(signed((now - before) * 100.0, " pp")), now - before, 0.0025),
        Format::Decimal => (Some(signed(now - before, "")), now - before, 0.05),
    }
}

impl Verdict {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Even => "even",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(format: Format, more_is_better: bool, now: f64, before: f64) -> (Option<String>, Verdict) {
        let compared = compared("x", format, more_is_better, Some(now), Some(before));
        (compared.change, compared.verdict)
    }

    #[test]
    fn more_is_better_or_worse_as_the_figure_has_it() {
        let said = |text: &str, verdict| (Some(text.to_owned()), verdict);
        assert_eq!(told(Format::Count, true, 1082.0, 1000.0), said("+8.2 %", Verdict::Better));
        assert_eq!(told(Format::Count, true, 995.0, 1000.0), said("\u{2212}0.5 %", Verdict::Even));
        assert_eq!(told(Format::Percent, false, 0.061, 0.048), said("+1.3 pp", Verdict::Worse));
        assert_eq!(told(Format::Percent, false, 0.041, 0.048), said("\u{2212}0.7 pp", Verdict::Better));
        assert_eq!(told(Format::Decimal, false, 2.5, 2.52), said("+0.0", Verdict::Even));
    }

    #[test]
    fn nothing_is_compared_with_nothing() {
        assert_eq!(told(Format::Count, true, 5.0, 0.0), (None, Verdict::Better));
        assert_eq!(told(Format::Count, true, 0.0, 0.0), (None, Verdict::Even));
        let unknown = compared("x", Format::Percent, true, Some(0.1), None);
        assert_eq!((unknown.change, unknown.previous, unknown.verdict), (None, None, Verdict::Even));
    }
}
