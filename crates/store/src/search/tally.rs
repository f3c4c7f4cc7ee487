//! Counting the searches of a window, one by one, without I/O.
//!
//! 1. Each search is counted in its cell: its kind and its device.
//! 2. At the end cells are put together: all of them, those of a kind, those of a device, and each by itself.
//!
//! Everything is exact. What takes memory are the different searchers (about 30 bytes each), the different values of
//! what quantiles are taken of, and the different queries of an hour.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;

use super::crowd::Crowd;
use super::facts::Fact;
use super::metrics::SearchMetrics;

/// A search that found fewer than this found few.
pub(super) const FEW: u64 = 3;

/// The counts of one cell, or of several put together.
#[derive(Debug, Clone, Default)]
struct Counts {
    searches: u64,
    guest_searches: u64,
    zero_results: u64,
    clicked: u64,
    positions: u64,
    position_sum: u64,
    booked: u64,
    guest_booked: u64,
    abandoned: u64,
    folded: u64,
    /// How many searches had this best position: added up at the end, so that the order of rows makes no difference.
    best: Histogram,
    results: Histogram,
    first_click_ms: Histogram,
}

/// How often each value occurred.
#[derive(Debug, Clone, Default)]
struct Histogram(HashMap<u64, u64>);

impl Histogram {
    fn add(&mut self, value: u64) {
        *self.0.entry(value).or_default() += 1;
    }

    fn add_all(&mut self, other: &Self) {
        for (value, count) in &other.0 {
            *self.0.entry(*value).or_default() += count;
        }
    }

    fn sorted(&self) -> BTreeMap<u64, u64> {
        self.0.iter().map(|(value, count)| (*value, *count)).collect()
    }
}

/// The value below which `numerator`/10 of all lie, between its neighbours by their distance (as SQL's PERCENTILE_CONT).
#[expect(clippy::cast_precision_loss, reason = "values and counts are far below 2^53")]
fn quantile(sorted: &BTreeMap<u64, u64>, numerator: u64) -> Option<f64> {
    let count: u64 = sorted.values().sum();
    let scaled = count.checked_sub(1)? * numerator;
    let (below, rest) = (scaled / 10, scaled % 10);
    let nth = |place: u64| {
        let mut seen = 0;
        sorted.iter().find(|(_, count)| {
            seen += **count;
            seen > place
        })
    };
    let low = *nth(below)?.0 as f64;
    if rest == 0 {
        return Some(low);
    }
    let high = *nth(below + 1)?.0 as f64;
    Some(low + (high - low) * (rest as f64 / 10.0))
}

impl Counts {
    fn add(&mut self, fact: &Fact) {
        self.searches += 1;
        self.guest_searches += u64::from(fact.guest);
        self.zero_results += u64::from(fact.results == 0);
        self.clicked += u64::from(fact.clicked);
        self.positions += fact.positions;
        self.position_sum += fact.position_sum;
        self.booked += u64::from(fact.booked);
        self.guest_booked += u64::from(fact.booked && fact.guest);
        self.abandoned += u64::from(!fact.used);
        self.results.add(fact.results);
        if let Some(best) = fact.best {
            self.best.add(best);
        }
        if let Some(first) = fact.first_click_ms {
            self.first_click_ms.add(first);
        }
    }

    fn add_all(&mut self, other: &Self) {
        self.searches += other.searches;
        self.guest_searches += other.guest_searches;
        self.zero_results += other.zero_results;
        self.clicked += other.clicked;
        self.positions += other.positions;
        self.position_sum += other.position_sum;
        self.booked += other.booked;
        self.guest_booked += other.guest_booked;
        self.abandoned += other.abandoned;
        self.folded += other.folded;
        self.best.add_all(&other.best);
        self.results.add_all(&other.results);
        self.first_click_ms.add_all(&other.first_click_ms);
    }

    fn metrics(&self, starts_at: Timestamp, unique_searchers: u64, orphans: u64) -> SearchMetrics {
        let (results, first) = (self.results.sorted(), self.first_click_ms.sorted());
        let seconds = |ms: Option<f64>| ms.map(|ms| ms / 1000.0);
        #[expect(clippy::cast_precision_loss, reason = "positions and counts are far below 2^53")]
        let reciprocal_sum = self.best.sorted().iter().map(|(best, count)| *count as f64 / *best as f64).sum();
        SearchMetrics {
            starts_at,
            kind: None,
            device: None,
            searches: self.searches,
            guest_searches: self.guest_searches,
            unique_searchers: Some(unique_searchers),
            zero_results: self.zero_results,
            clicked: self.clicked,
            positions: self.positions,
            position_sum: self.position_sum,
            reciprocal_sum,
            booked: self.booked,
            guest_booked: self.guest_booked,
            abandoned: self.abandoned,
            results_median: quantile(&results, 5),
            results_p90: quantile(&results, 9),
            first_click_median: seconds(quantile(&first, 5)),
            first_click_p90: seconds(quantile(&first, 9)),
            folded: self.folded,
            orphans,
        }
    }
}

/// What was counted of a query in a window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct QueryCounts {
    pub(super) searches: u64,
    pub(super) zero_results: u64,
    pub(super) few_results: u64,
    pub(super) clicked: u64,
    pub(super) booked: u64,
}

/// The count of a window.
#[derive(Debug, Default)]
pub(super) struct Tally {
    cells: Vec<(String, String, Counts)>,
    places: HashMap<String, HashMap<String, u16>>,
    crowd: Crowd,
    queries: Option<HashMap<String, QueryCounts>>,
}

impl Tally {
    /// An empty count, of queries too if they are wanted.
    pub(super) fn new(with_queries: bool) -> Self {
        Self { queries: with_queries.then(HashMap::new), ..Self::default() }
    }

    /// Counts a search.
    pub(super) fn add(&mut self, fact: &Fact) {
        let place = self.place(&fact.kind, &fact.device);
        let counts = &mut self.cells[usize::from(place)].2;
        if fact.is_folded() {
            counts.folded += 1;
            return;
        }
        counts.add(fact);
        if let Some(searcher) = fact.searcher {
            self.crowd.saw(searcher, place);
        }
        // A search without a text (somebody looks around) is no query.
        if let Some(queries) = self.queries.as_mut().filter(|_| !fact.query.is_empty()) {
            if !queries.contains_key(&fact.query) {
                queries.insert(fact.query.clone(), QueryCounts::default());
            }
            let Some(of) = queries.get_mut(&fact.query) else { return };
            of.searches += 1;
            of.zero_results += u64::from(fact.results == 0);
            of.few_results += u64::from(fact.results < FEW);
            of.clicked += u64::from(fact.clicked);
            of.booked += u64::from(fact.booked);
        }
    }

    fn place(&mut self, kind: &str, device: &str) -> u16 {
        if let Some(place) = self.places.get(kind).and_then(|devices| devices.get(device)) {
            return *place;
        }
        // Beyond this many kinds and devices the last cell takes what comes.
        let place = u16::try_from(self.cells.len()).unwrap_or(u16::MAX);
        if usize::from(place) == self.cells.len() {
            self.cells.push((kind.to_owned(), device.to_owned(), Counts::default()));
        }
        self.places.entry(kind.to_owned()).or_default().insert(device.to_owned(), place);
        place
    }

    /// How many searches there were, without those that were folded.
    pub(super) fn searches(&self) -> u64 {
        self.cells.iter().map(|(_, _, counts)| counts.searches).sum()
    }

    /// The counts of all, of each kind, of each device, and of both together.
    pub(super) fn metrics(&self, starts_at: Timestamp, orphans: u64) -> Vec<SearchMetrics> {
        let mut groups: HashSet<(Option<&str>, Option<&str>)> = HashSet::from([(None, None)]);
        for (kind, device, _) in &self.cells {
            let (kind, device) = (Some(kind.as_str()), Some(device.as_str()));
            groups.extend([(kind, None), (None, device), (kind, device)]);
        }
        groups
            .into_iter()
            .map(|(kind, device)| {
                let mut counts = Counts::default();
                let mut places = HashSet::new();
                for (place, (its_kind, its_device, cell)) in self.cells.iter().enumerate() {
                    if kind.is_none_or(|kind| kind == its_kind) && device.is_none_or(|device| device == its_device) {
                        counts.add_all(cell);
                        places.insert(u16::try_from(place).unwrap_or(u16::MAX));
                    }
                }
                let orphans = if (kind, device) == (None, None) { orphans } else { 0 };
                let metrics = counts.metrics(starts_at, self.crowd.count(&places), orphans);
                SearchMetrics { kind: kind.map(str::to_owned), device: device.map(str::to_owned), ..metrics }
            })
            .collect()
    }

    /// The queries, if they were counted.
    pub(super) fn into_queries(self) -> Option<HashMap<String, QueryCounts>> {
        self.queries
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    proptest! {
        #[test]
        fn a_quantile_is_that_of_the_sorted_list(mut values in prop::collection::vec(0_u64..50, 0..60), tenths in 0_u64..=10) {
            let mut histogram = Histogram::default();
            values.iter().for_each(|value| histogram.add(*value));
            values.sort_unstable();
            let plain = (!values.is_empty()).then(|| {
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                let rank = tenths as f64 / 10.0 * (values.len() - 1) as f64;
                let (low, high) = (values[rank.floor() as usize] as f64, values[rank.ceil() as usize] as f64);
                low + (high - low) * (rank - rank.floor())
            });
            let found = quantile(&histogram.sorted(), tenths);
            match (found, plain) {
                (Some(found), Some(plain)) => prop_assert!((found - plain).abs() < 1e-6, "{found} {plain}"),
                (found, plain) => prop_assert_eq!(found, plain),
            }
        }
    }

    #[test]
    fn the_median_is_not_the_mean() {
        let mut histogram = Histogram::default();
        [1, 1, 100].into_iter().for_each(|value| histogram.add(value));
        assert_eq!(quantile(&histogram.sorted(), 5), Some(1.0));
        assert_eq!(quantile(&Histogram::default().sorted(), 5), None);
    }

    #[test]
    fn a_text_on_its_way_is_folded_unless_somebody_used_what_it_found() {
        let fact = |continued, used| Fact {
            searcher: Some(Uuid::from_u128(7)),
            guest: false,
            kind: "text".to_owned(),
            device: "mobile".to_owned(),
            query: "pia".to_owned(),
            results: 2,
            continued,
            used,
            clicked: used,
            booked: false,
            positions: 0,
            position_sum: 0,
            best: None,
            first_click_ms: None,
        };
        let mut tally = Tally::new(true);
        [fact(true, false), fact(true, true), fact(false, false)].into_iter().for_each(|fact| tally.add(&fact));
        let all = tally.metrics(Timestamp::UNIX_EPOCH, 3);
        assert_eq!(all.len(), 4);
        let total = all.iter().find(|m| m.kind.is_none() && m.device.is_none()).unwrap();
        assert_eq!((total.searches, total.folded, total.clicked, total.unique_searchers), (2, 1, 1, Some(1)));
        assert_eq!(all.iter().map(|m| m.orphans).sum::<u64>(), 3);
        let expected = QueryCounts { searches: 2, few_results: 2, clicked: 1, ..QueryCounts::default() };
        assert_eq!(tally.into_queries().unwrap()["pia"], expected);
    }
}
