//! What was counted, of a period and of the one before it.

use jiff::Timestamp;
use store::{Granularity, MetricsFilter, QuerySort, SearchMetrics, SearchQuery, Store, StoreError};

use super::period::Period;

/// Queries of one table.
const QUERIES: u32 = 10;

/// The figures of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// What they are of.
    pub period: Period,
    /// Of the whole period.
    pub now: SearchMetrics,
    /// Of the whole period before.
    pub before: SearchMetrics,
    /// Point by point.
    pub points: Vec<SearchMetrics>,
    /// The period before, point by point.
    pub points_before: Vec<SearchMetrics>,
    /// How many people searched on a day, on average of the period's days: people are told apart within a day only.
    pub searchers: Option<f64>,
    /// The same of the period before.
    pub searchers_before: Option<f64>,
    /// The queries of each kind.
    pub queries: Vec<(QuerySort, Vec<SearchQuery>)>,
}

impl Figures {
    /// Reads the figures of `period`.
    ///
    /// # Errors
    /// As the database says.
    pub async fn read(store: &Store, period: Period, now: Timestamp) -> Result<Self, StoreError> {
        let days = |period: Period| windows(store, period, Granularity::Day);
        let points = |period: Period| windows(store, period, period.granularity());
        let (today, yesterday) = (days(period).await?, days(period.previous()).await?);
        let mut queries = Vec::with_capacity(QuerySort::ALL.len());
        for sort in QuerySort::ALL {
            let (from, to) = period.span();
            queries.push((*sort, store.search_queries(*sort, from, to, QUERIES, now).await?));
        }
        Ok(Self {
            now: total(period, &today),
            before: total(period.previous(), &yesterday),
            points: points(period).await?,
            points_before: points(period.previous()).await?,
            searchers: searchers(&today),
            searchers_before: searchers(&yesterday),
            queries,
            period,
        })
    }
}

async fn windows(store: &Store, period: Period, granularity: Granularity) -> Result<Vec<SearchMetrics>, StoreError> {
    let (from, to) = period.span();
    store.search_metrics(from, to, granularity, &MetricsFilter::default()).await
}

fn total(period: Period, days: &[SearchMetrics]) -> SearchMetrics {
    SearchMetrics::total(days).unwrap_or_else(|| SearchMetrics::empty(period.span().0))
}

/// On average of the days on which anybody searched who can be told apart; none where nobody did: of those who did not
/// consent it is not known how many they were.
fn searchers(days: &[SearchMetrics]) -> Option<f64> {
    let counted: Vec<u64> = days.iter().filter_map(|day| day.unique_searchers).filter(|count| *count > 0).collect();
    #[expect(clippy::cast_precision_loss, reason = "counts of people are far below 2^53")]
    (!counted.is_empty()).then(|| counted.iter().sum::<u64>() as f64 / counted.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nobody_consented_it_is_not_known_how_many_searched() {
        let day = |unique| SearchMetrics {
            searches: 9,
            unique_searchers: Some(unique),
            ..SearchMetrics::empty(Timestamp::UNIX_EPOCH)
        };
        assert_eq!((searchers(&[day(0)]), searchers(&[])), (None, None));
        assert_eq!(searchers(&[day(0), day(2), day(4)]), Some(3.0));
    }
}
