//! What a chart shows.

use serde::{Deserialize, Serialize};

/// The most series: more cannot be told apart.
const MOST_SERIES: usize = 4;
/// The most points of a series.
const MOST_POINTS: usize = 1000;
/// The longest label or name, in characters.
const LONGEST: usize = 60;

/// Series of figures over the same labels. It was checked: at least one series of as many values as there are labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked", into = "Unchecked")]
pub struct Chart {
    style: Style,
    format: Format,
    labels: Vec<String>,
    series: Vec<Series>,
}

/// How the figures are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// A line for each series.
    Lines,
    /// A bar for each value, those of a label side by side.
    Bars,
}

/// What kind of figures they are, and so how they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Whole numbers: `12,480`.
    Count,
    /// Shares of one, `0.061`, written as `6.1 %`.
    Percent,
    /// Other numbers: `2.35`.
    Decimal,
}

/// Figures of one kind, in the order of the labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// What they are.
    pub name: String,
    /// The figures, not below zero. None: nothing is known, which is not zero, and is a gap.
    pub values: Vec<Option<f64>>,
}

/// What cannot be drawn. Always permanent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChartError {
    /// No series, or more than 4.
    #[error("series: 1 to {MOST_SERIES} are expected, not {0}")]
    Series(usize),
    /// No labels, or more than 1000.
    #[error("labels: 1 to {MOST_POINTS} are expected, not {0}")]
    Labels(usize),
    /// A series that is shorter or longer than the labels.
    #[error("series[{series}].values: {values} values for {labels} labels")]
    Length {
        /// Which series, from 0.
        series: usize,
        /// How many values it has.
        values: usize,
        /// How many labels there are.
        labels: usize,
    },
    /// A value that is negative or no number.
    #[error("series[{series}].values[{point}]: a number from 0 is expected")]
    Value {
        /// Which series, from 0.
        series: usize,
        /// Which value, from 0.
        point: usize,
    },
    /// A label or a name with a control character, or one that is too long.
    #[error("{0}: at most {LONGEST} characters on one line are expected")]
    Text(&'static str),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    style: Style,
    format: Format,
    labels: Vec<String>,
    series: Vec<Series>,
}

impl TryFrom<Unchecked> for Chart {
    type Error = ChartError;

    fn try_from(chart: Unchecked) -> Result<Self, ChartError> {
        Self::new(chart.style, chart.format, chart.labels, chart.series)
    }
}

impl From<Chart> for Unchecked {
    fn from(Chart { style, format, labels, series }: Chart) -> Self {
        Self { style, format, labels, series }
    }
}

impl Chart {
    /// A chart. The first series is the one that it is about; the others are there to compare it with.
    ///
    /// # Errors
    /// [`ChartError`], naming the field.
    pub fn new(style: Style, format: Format, labels: Vec<String>, series: Vec<Series>) -> Result<Self, ChartError> {
        if !(1..=MOST_POINTS).contains(&labels.len()) {
            return Err(ChartError::Labels(labels.len()));
        }
        if !(1..=MOST_SERIES).contains(&series.len()) {
            return Err(ChartError::Series(series.len()));
        }
        let fits = |text: &str| text.chars().count() <= LONGEST && !text.chars().any(char::is_control);
        if !labels.iter().all(|label| fits(label)) {
            return Err(ChartError::Text("labels"));
        }
        for (n, one) in series.iter().enumerate() {
            if !fits(&one.name) {
                return Err(ChartError::Text("series.name"));
            }
            if one.values.len() != labels.len() {
                return Err(ChartError::Length { series: n, values: one.values.len(), labels: labels.len() });
            }
            let wrong = |value: &Option<f64>| value.is_some_and(|value| !value.is_finite() || value < 0.0);
            if let Some(point) = one.values.iter().position(wrong) {
                return Err(ChartError::Value { series: n, point });
            }
        }
        Ok(Self { style, format, labels, series })
    }

    /// How it is drawn.
    #[must_use]
    pub fn style(&self) -> Style {
        self.style
    }

    /// What kind of figures it has.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// What stands below, one for each value.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The figures.
    #[must_use]
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// The greatest figure; none where nothing is known.
    #[must_use]
    pub fn greatest(&self) -> Option<f64> {
        self.series.iter().flat_map(|series| series.values.iter().flatten().copied()).reduce(f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[Option<f64>]) -> Series {
        Series { name: "Searches".to_owned(), values: values.to_vec() }
    }

    fn chart(labels: usize, series: Vec<Series>) -> Result<Chart, ChartError> {
        Chart::new(Style::Lines, Format::Count, vec!["Mon".to_owned(); labels], series)
    }

    #[test]
    fn what_cannot_be_drawn_is_named() {
        assert_eq!(chart(0, vec![series(&[])]), Err(ChartError::Labels(0)));
        assert_eq!(chart(1, vec![]), Err(ChartError::Series(0)));
        let short = chart(2, vec![series(&[None, None]), series(&[None])]);
        assert_eq!(short, Err(ChartError::Length { series: 1, values: 1, labels: 2 }));
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            let refused = chart(2, vec![series(&[Some(0.0), Some(bad)])]);
            assert_eq!(refused, Err(ChartError::Value { series: 0, point: 1 }));
        }
        let name = Series { name: "a\nb".to_owned(), values: vec![None] };
        assert_eq!(chart(1, vec![name]), Err(ChartError::Text("series.name")));
    }

    #[test]
    fn it_is_kept_as_json_and_checked_when_it_is_read_back() {
        let drawn = chart(2, vec![series(&[Some(1690.0), None])]).unwrap();
        let json = serde_json::to_string(&drawn).unwrap();
        assert_eq!(
            json,
            r#"{"style":"lines","format":"count","labels":["Mon","Mon"],"series":[{"name":"Searches","values":[1690.0,null]}]}"#
        );
        assert_eq!(serde_json::from_str::<Chart>(&json).unwrap(), drawn);
        assert!(serde_json::from_str::<Chart>(&json.replace("1690.0", "-1")).is_err());
        assert!(serde_json::from_str::<Chart>(&json.replace(",null", "")).is_err());
        assert!(serde_json::from_str::<Chart>(&json.replace("\"style\"", "\"kind\"")).is_err());
    }

    #[test]
    fn the_greatest_figure_is_that_of_all_series() {
        let two = chart(2, vec![series(&[Some(1.0), None]), series(&[None, Some(7.0)])]).unwrap();
        assert_eq!(two.greatest(), Some(7.0));
        assert_eq!(chart(1, vec![series(&[None])]).unwrap().greatest(), None);
    }
}
