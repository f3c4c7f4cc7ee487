//! A chart in words: what stands in for the picture where it is not shown, or not seen.

use crate::model::{Chart, Series};
use crate::number;

/// What a chart shows, in a sentence or two: for each series its lowest and its highest figure and where they are.
///
/// `Searches a day. This week: from 1,602 (Sat 21) to 1,921 (Wed 18). The week before: no data.`
#[must_use]
pub fn words(chart: &Chart, title: &str) -> String {
    let mut out = format!("{title}.");
    for series in chart.series() {
        out.push(' ');
        out.push_str(&series.name);
        out.push_str(": ");
        out.push_str(&range(chart, series));
        out.push('.');
    }
    out
}

fn range(chart: &Chart, series: &Series) -> String {
    let known = || series.values.iter().enumerate().filter_map(|(n, value)| value.map(|value| (n, value)));
    // The first of equals, whichever end it is.
    let lowest = known().reduce(|a, b| if b.1 < a.1 { b } else { a });
    let highest = known().reduce(|a, b| if b.1 > a.1 { b } else { a });
    let (Some(lowest), Some(highest)) = (lowest, highest) else { return "no data".to_owned() };
    let told = |(n, value): (usize, f64)| format!("{} ({})", number::full(value, chart.format()), chart.labels()[n]);
    let count = known().count();
    let mut text = match (count, lowest.1 < highest.1) {
        (1, _) => told(lowest),
        (_, false) => format!("{} throughout", number::full(lowest.1, chart.format())),
        (_, true) => format!("from {} to {}", told(lowest), told(highest)),
    };
    if count < series.values.len() {
        text.push_str(&format!(", no data for {} of {}", series.values.len() - count, series.values.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Format, Style};

    fn told(values: &[Option<f64>]) -> String {
        let labels = ["Mon", "Tue", "Wed"][..values.len()].iter().map(|day| (*day).to_owned()).collect();
        let series = vec![Series { name: "Now".to_owned(), values: values.to_vec() }];
        words(&Chart::new(Style::Lines, Format::Count, labels, series).unwrap(), "Searches")
    }

    #[test]
    fn the_ends_are_named_with_their_places() {
        assert_eq!(told(&[Some(7.0), Some(1921.0), Some(3.0)]), "Searches. Now: from 3 (Wed) to 1,921 (Tue).");
        assert_eq!(told(&[Some(3.0), Some(3.0)]), "Searches. Now: 3 throughout.");
    }

    #[test]
    fn what_is_not_known_is_said() {
        assert_eq!(told(&[None, None]), "Searches. Now: no data.");
        assert_eq!(told(&[None, Some(0.0), None]), "Searches. Now: 0 (Tue), no data for 2 of 3.");
    }
}
