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

/// On average of the days on which anybody searched; none where nobody did.
fn searchers(days: &[SearchMetrics]) -> Option<f64> {
    let counted: Vec<u64> = days.iter().filter(|day| day.searches > 0).filter_map(|day| day.unique_searchers).collect();
    #[expect(clippy::cast_precision_loss, reason = "counts of people are far below 2^53")]
    (!counted.is_empty()).then(|| counted.iter().sum::<u64>() as f64 / counted.len() as f64)
}
