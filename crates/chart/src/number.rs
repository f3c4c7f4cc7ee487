//! Figures as people read them, in English: `12,480`, `6.1 %`, `2.35`.

use crate::model::Format;

/// A figure in full.
#[must_use]
pub fn full(value: f64, format: Format) -> String {
    match format {
        Format::Count => grouped(value, 0),
        Format::Percent => format!("{} %", grouped(value * 100.0, 1)),
        Format::Decimal => grouped(value, 2),
    }
}

/// A figure that stands at an axis with this distance between two of its kind: no more digits than that needs.
#[must_use]
pub fn at_axis(value: f64, step: f64, format: Format) -> String {
    match format {
        Format::Count if value >= 1e6 => format!("{}M", plain(value / 1e6, 2)),
        Format::Count => grouped(value, 0),
        Format::Percent => format!("{} %", plain(value * 100.0, if step < 0.01 { 2 } else { 1 })),
        Format::Decimal => plain(value, if step < 0.01 { 4 } else { 2 }),
    }
}

/// With as many digits after the point, and without those that are zero at the end.
fn plain(value: f64, digits: usize) -> String {
    let text = grouped(value, digits);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// With commas between the thousands.
fn grouped(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let (whole, rest) = match text.split_once('.') {
        Some((whole, rest)) => (whole, format!(".{rest}")),
        None => (text.as_str(), String::new()),
    };
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("\u{2212}", whole));
    let mut out = String::with_capacity(text.len() + text.len() / 3);
    out.push_str(sign);
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + &rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped_and_shares_are_percent() {
        assert_eq!(full(12_480.0, Format::Count), "12,480");
        assert_eq!(full(999.0, Format::Count), "999");
        assert_eq!(full(1_234_567.0, Format::Count), "1,234,567");
        assert_eq!(full(0.061, Format::Percent), "6.1 %");
        assert_eq!(full(1.0, Format::Percent), "100.0 %");
        assert_eq!(full(2.345, Format::Decimal), "2.35");
        assert_eq!(full(-1234.5, Format::Decimal), "\u{2212}1,234.50");
    }

    #[test]
    fn an_axis_has_no_more_digits_than_it_needs() {
        assert_eq!(at_axis(2_500_000.0, 500_000.0, Format::Count), "2.5M");
        assert_eq!(at_axis(10_000.0, 5_000.0, Format::Count), "10,000");
        assert_eq!(at_axis(0.05, 0.05, Format::Percent), "5 %");
        assert_eq!(at_axis(0.025, 0.025, Format::Percent), "2.5 %");
        assert_eq!(at_axis(0.0025, 0.0025, Format::Percent), "0.25 %");
        assert_eq!(at_axis(0.0, 0.5, Format::Decimal), "0");
        assert_eq!(at_axis(2.5, 0.5, Format::Decimal), "2.5");
    }
}
