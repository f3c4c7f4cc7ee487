//! Which figures of a period are an alert, and which alerts are over.
//!
//! Both kinds of period are looked at, each under a label of its own: a bad hour shows in a day's figures, a slow decline
//! in a week's. Where too few searched nothing is said either way: an alert that no later figures bear out ends by itself
//! after three periods.

use std::time::Duration;

use alerting::{Alert, Labels, Severity, State};
use chart::{Format, number};
use jiff::Timestamp;

use super::figures::Figures;
use super::rules::Thresholds;

/// For so many periods an alert burns if nothing more is heard of it.
const PERIODS: u32 = 3;

/// The alerts that follow from the figures: firing, or over. None where too few searched.
#[must_use]
pub fn alerts(figures: &Figures, thresholds: &Thresholds, now: Timestamp) -> Vec<Alert> {
    if figures.now.searches < thresholds.min_searches {
        return Vec::new();
    }
    let percent = |value: f64| number::full(value, Format::Percent);
    let mut all = Vec::new();
    if let Some(rate) = figures.now.zero_result_rate() {
        let message = format!(
            "{} of the searches of {} found nothing; up to {} is usual. The search report names the queries.",
            percent(rate),
            figures.period.words(),
            percent(thresholds.zero_results)
        );
        let title = "many searches find nothing";
        all.push(alert(figures, "search.zero_results", title, message, rate > thresholds.zero_results, now));
    }
    let comparable = figures.before.searches >= thresholds.min_searches;
    let conversions = figures.now.booking_conversion().zip(figures.before.booking_conversion().filter(|_| comparable));
    if let Some((rate, before)) = conversions {
        let message = format!(
            "{} of the searches of {} led to a booking, {} in the time before.",
            percent(rate),
            figures.period.words(),
            percent(before)
        );
        let fell = before > 0.0 && rate < before * (1.0 - thresholds.conversion_drop);
        all.push(alert(figures, "search.conversion", "fewer searches lead to a booking", message, fell, now));
    }
    all
}

fn alert(figures: &Figures, kind: &str, title: &str, message: String, burns: bool, now: Timestamp) -> Alert {
    let labels = Labels::from_pairs([("source", "postrider"), ("period", figures.period.kind.as_str())]);
    let (from, to) = figures.period.span();
    let length = Duration::try_from(to.duration_since(from)).unwrap_or_default();
    let ends_at = if burns { job::clock::after(now, length * PERIODS) } else { now };
    Alert {
        kind: kind.to_owned(),
        severity: Severity::Warning,
        title: title.to_owned(),
        message,
        labels: labels.expect("two labels that are names"),
        details: alerting::Details::new(),
        state: if burns { State::Firing } else { State::Resolved },
        starts_at: to.min(now),
        ends_at: Some(ends_at),
    }
}
