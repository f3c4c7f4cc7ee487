//! What was counted in a window, and the rates that follow from it. The formulas are in docs/SEARCH.md.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;

use super::window::Granularity;
use crate::db::{At, Record, Row, Store};
use crate::error::StoreError;
use crate::words::words;

/// What stands for "all of them" in the columns kind and device.
pub(super) const ALL: &str = "*";

words! {
    /// What the counts of a window are broken down by.
    pub enum Breakdown {
        /// A row a kind of search.
        Kind = "kind",
        /// A row a device.
        Device = "device",
    }
}

/// Which counts are meant. The default is those of all searches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricsFilter {
    /// Searches of this kind only.
    pub kind: Option<String>,
    /// Searches from this device only.
    pub device: Option<String>,
    /// A row for each kind, or each device, that occurred.
    pub by: Option<Breakdown>,
}

/// What was counted in a window. Counts are exact; what cannot be added up over windows is an option.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchMetrics {
    /// Where the window begins.
    pub starts_at: Timestamp,
    /// The kind of the searches; `None` for all.
    pub kind: Option<String>,
    /// The device of the searches; `None` for all.
    pub device: Option<String>,
    /// Searches, without those that were folded.
    pub searches: u64,
    /// Of these, by guests.
    pub guest_searches: u64,
    /// Different searchers among those who consented; `None` in a total over windows.
    pub unique_searchers: Option<u64>,
    /// Searches that found nothing.
    pub zero_results: u64,
    /// Searches with at least one click.
    pub clicked: u64,
    /// Clicks whose position is known.
    pub positions: u64,
    /// Their positions, added up.
    pub position_sum: u64,
    /// For each search 1 / its best clicked position, added up.
    pub reciprocal_sum: f64,
    /// Searches that led to a booking.
    pub booked: u64,
    /// Of these, by guests.
    pub guest_booked: u64,
    /// Searches after which nothing was clicked, bookmarked, contacted or booked.
    pub abandoned: u64,
    /// The median of how many results a search found.
    pub results_median: Option<f64>,
    /// The ninth decile of how many results a search found.
    pub results_p90: Option<f64>,
    /// The median of the seconds until a search's first click.
    pub first_click_median: Option<f64>,
    /// The ninth decile of the seconds until a search's first click.
    pub first_click_p90: Option<f64>,
    /// Texts on their way to the committed search, which are not counted as searches.
    pub folded: u64,
    /// Interactions whose search never came; of all searches only, 0 elsewhere.
    pub orphans: u64,
}

/// `part` / `whole`; `None`, never 0, where there is no whole.
fn rate(part: u64, whole: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "counts of searches are far below 2^53")]
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl SearchMetrics {
    /// A window in which nobody searched.
    #[must_use]
    pub fn empty(starts_at: Timestamp) -> Self {
        Self {
            starts_at,
            kind: None,
            device: None,
            searches: 0,
            guest_searches: 0,
            unique_searchers: Some(0),
            zero_results: 0,
            clicked: 0,
            positions: 0,
            position_sum: 0,
            reciprocal_sum: 0.0,
            booked: 0,
            guest_booked: 0,
            abandoned: 0,
            results_median: None,
            results_p90: None,
            first_click_median: None,
            first_click_p90: None,
            folded: 0,
            orphans: 0,
        }
    }

    /// Searches that found nothing / searches.
    #[must_use]
    pub fn zero_result_rate(&self) -> Option<f64> {
        rate(self.zero_results, self.searches)
    }

    /// Searches with at least one click / searches.
    #[must_use]
    pub fn click_through_rate(&self) -> Option<f64> {
        rate(self.clicked, self.searches)
    }

    /// Positions of clicks, added up / clicks whose position is known.
    #[must_use]
    pub fn mean_click_position(&self) -> Option<f64> {
        rate(self.position_sum, self.positions)
    }

    /// 1 / the best clicked position of each search (0 without one), added up / searches.
    #[must_use]
    pub fn mean_reciprocal_rank(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "counts of searches are far below 2^53")]
        (self.searches > 0).then(|| self.reciprocal_sum / self.searches as f64)
    }

    /// Searches that led to a booking / searches.
    #[must_use]
    pub fn booking_conversion(&self) -> Option<f64> {
        rate(self.booked, self.searches)
    }

    /// Searches after which nothing was clicked, bookmarked, contacted or booked / searches.
    #[must_use]
    pub fn abandonment(&self) -> Option<f64> {
        rate(self.abandoned, self.searches)
    }

    /// Guests' searches that led to a booking / guests' searches.
    #[must_use]
    pub fn guest_conversion(&self) -> Option<f64> {
        rate(self.guest_booked, self.guest_searches)
    }

    /// Several windows as one that begins with the first: what can be added up is, the rest is `None`.
    #[must_use]
    pub fn total<'a>(windows: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let mut windows = windows.into_iter();
        let mut total = windows.next()?.clone();
        let mut several = false;
        for next in windows {
            several = true;
            total.searches += next.searches;
            total.guest_searches += next.guest_searches;
            total.zero_results += next.zero_results;
            total.clicked += next.clicked;
            total.positions += next.positions;
            total.position_sum += next.position_sum;
            total.reciprocal_sum += next.reciprocal_sum;
            total.booked += next.booked;
            total.guest_booked += next.guest_booked;
            total.abandoned += next.abandoned;
            total.folded += next.folded;
            total.orphans += next.orphans;
        }
        if several {
            total.unique_searchers = None;
            (total.results_median, total.results_p90) = (None, None);
            (total.first_click_median, total.first_click_p90) = (None, None);
        }
        Some(total)
    }
}

impl Record for SearchMetrics {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let named = |column| Ok::<_, StoreError>(Some(row.get::<String>(column)?).filter(|name| name != ALL));
        Ok(Self {
            starts_at: row.get::<At>("starts_at")?.into(),
            kind: named("kind")?,
            device: named("device")?,
            searches: row.number("searches")?,
            guest_searches: row.number("guest_searches")?,
            unique_searchers: Some(row.number("unique_searchers")?),
            zero_results: row.number("zero_results")?,
            clicked: row.number("clicked")?,
            positions: row.number("positions")?,
            position_sum: row.number("position_sum")?,
            reciprocal_sum: row.get("reciprocal_sum")?,
            booked: row.number("booked")?,
            guest_booked: row.number("guest_booked")?,
            abandoned: row.number("abandoned")?,
            results_median: row.get("results_median")?,
            results_p90: row.get("results_p90")?,
            first_click_median: row.get("first_click_median")?,
            first_click_p90: row.get("first_click_p90")?,
            folded: row.number("folded")?,
            orphans: row.number("orphans")?,
        })
    }
}

impl Store {
    /// What was counted in the windows that begin in `from..to`, in their order. Without a breakdown there is a row for
    /// each window, also for those in which nobody searched; with one, a row for each kind or device that occurred.
    ///
    /// # Errors
    /// As the database says.
    pub async fn search_metrics(
        &self,
        from: Timestamp,
        to: Timestamp,
        granularity: Granularity,
        filter: &MetricsFilter,
    ) -> Result<Vec<SearchMetrics>, StoreError> {
        let (kind, device) = match filter.by {
            None => ("kind = $4", "device = $5"),
            Some(Breakdown::Kind) => ("kind <> '*' AND ($4 = '*' OR kind = $4)", "device = $5"),
            Some(Breakdown::Device) => ("kind = $4", "device <> '*' AND ($5 = '*' OR device = $5)"),
        };
        let text = format!(
            "SELECT starts_at, kind, device, searches, guest_searches, unique_searchers, zero_results, clicked,
                 positions, position_sum, reciprocal_sum, booked, guest_booked, abandoned, results_median,
                 results_p90, first_click_median, first_click_p90, folded, orphans
             FROM search_metrics
             WHERE granularity = $1 AND starts_at >= $2 AND starts_at < $3 AND {kind} AND {device}
             ORDER BY starts_at, kind, device"
        );
        let counted: Vec<SearchMetrics> = self
            .read()
            .await?
            .sql(AssertSqlSafe(text))
            .bind(granularity)
            .bind(At(from))
            .bind(At(to))
            .bind(filter.kind.as_deref().unwrap_or(ALL))
            .bind(filter.device.as_deref().unwrap_or(ALL))
            .all()
            .await?;
        if filter.by.is_some() {
            return Ok(counted);
        }
        let mut counted: HashMap<Timestamp, SearchMetrics> =
            counted.into_iter().map(|window| (window.starts_at, window)).collect();
        let mut windows = Vec::new();
        let mut start = granularity.ceil(from);
        while start < to {
            let (kind, device) = (filter.kind.clone(), filter.device.clone());
            let none = || SearchMetrics { kind, device, ..SearchMetrics::empty(start) };
            windows.push(counted.remove(&start).unwrap_or_else(none));
            start = granularity.next(start);
        }
        Ok(windows)
    }
}

impl Store {
    /// When one of the windows that begin in `from..to` was last counted; none was: `None`.
    ///
    /// # Errors
    /// As the database says.
    pub async fn searches_counted_at(&self, from: Timestamp, to: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        struct Last(Option<Timestamp>);
        impl Record for Last {
            fn read(row: &Row) -> Result<Self, StoreError> {
                Ok(Self(row.get::<Option<At>>("rolled_at")?.map(Timestamp::from)))
            }
        }
        let last: Option<Last> = self
            .read()
            .await?
            .sql("SELECT MAX(rolled_at) AS rolled_at FROM search_windows WHERE starts_at >= $1 AND starts_at < $2")
            .bind(At(from))
            .bind(At(to))
            .optional()
            .await?;
        Ok(last.and_then(|Last(at)| at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_is_no_whole_there_is_no_rate() {
        let none = SearchMetrics::empty(Timestamp::UNIX_EPOCH);
        let rates = [
            none.zero_result_rate(),
            none.click_through_rate(),
            none.mean_click_position(),
            none.mean_reciprocal_rank(),
            none.booking_conversion(),
            none.abandonment(),
            none.guest_conversion(),
        ];
        assert_eq!(rates, [None; 7]);
    }

    #[test]
    fn what_can_be_added_up_is_and_the_rest_is_not_guessed() {
        let one = SearchMetrics {
            searches: 3,
            clicked: 1,
            results_median: Some(2.0),
            ..SearchMetrics::empty(Timestamp::UNIX_EPOCH)
        };
        assert_eq!(SearchMetrics::total([&one]), Some(one.clone()));
        let total = SearchMetrics::total([&one, &one]).unwrap();
        assert_eq!((total.searches, total.unique_searchers, total.results_median), (6, None, None));
        assert_eq!(total.click_through_rate(), Some(1.0 / 3.0));
        assert_eq!(SearchMetrics::total([]), None);
    }
}
