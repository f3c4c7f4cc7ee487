//! Counting the searches of a window, one by one, without I/O.
//!
//! 1. Each search is counted in its cell: its kind and its device.
//! 2. Kinds are the callers' words, and counted apart up to [`MOST_KINDS`]. Where there are more, the count is begun anew
//!    with the most frequent ones known, and the others are [`OTHER`].
//! 3. Queries are counted as they are without what may name somebody (`mask`).
//! 4. At the end cells are put together: all of them, those of a kind, those of a device, and each by itself.
//!
//! Everything is exact. What takes memory are the different searchers (about 30 bytes each), the different values of
//! what quantiles are taken of, and the different queries.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;

use super::crowd::{Cells, Crowd};
use super::facts::Fact;
use super::mask::masked;
use super::metrics::SearchMetrics;

/// A search that found fewer than this found few.
pub(super) const FEW: u64 = 3;
/// So many kinds of a window are counted apart. With the devices they are fewer cells than a set of them can hold.
pub(super) const MOST_KINDS: usize = 50;
/// All other kinds.
pub(super) const OTHER: &str = "other";

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
    places: HashMap<String, HashMap<String, u8>>,
    crowd: Crowd,
    queries: Option<HashMap<String, QueryCounts>>,
    /// The kinds that are counted apart; none: those that come.
    kinds: Option<HashSet<String>>,
    has_too_many_kinds: bool,
}

impl Tally {
    /// An empty count, of queries too if they are wanted.
    pub(super) fn new(with_queries: bool) -> Self {
        Self { queries: with_queries.then(HashMap::new), ..Self::default() }
    }

    /// The same, with these kinds apart and all others together.
    pub(super) fn of_kinds(kinds: HashSet<String>, with_queries: bool) -> Self {
        Self { kinds: Some(kinds), ..Self::new(with_queries) }
    }

    /// Whether queries are counted.
    pub(super) fn has_queries(&self) -> bool {
        self.queries.is_some()
    }

    /// Whether there were so many kinds that it was given up: it must be begun anew with [`Tally::of_kinds`].
    pub(super) fn has_too_many_kinds(&self) -> bool {
        self.has_too_many_kinds
    }

    /// Counts a search.
    pub(super) fn add(&mut self, fact: &Fact) {
        let Some(place) = self.place(&fact.kind, &fact.device) else { return };
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
            let query = masked(&fact.query);
            if !queries.contains_key(query.as_ref()) {
                queries.insert(query.clone().into_owned(), QueryCounts::default());
            }
            let Some(of) = queries.get_mut(query.as_ref()) else { return };
            of.searches += 1;
            of.zero_results += u64::from(fact.results == 0);
            of.few_results += u64::from(fact.results < FEW);
            of.clicked += u64::from(fact.clicked);
            of.booked += u64::from(fact.booked);
        }
    }

    /// The cell of this kind and device; none: it is given up.
    fn place(&mut self, kind: &str, device: &str) -> Option<u8> {
        let kind = match &self.kinds {
            Some(kinds) if !kinds.contains(kind) => OTHER,
            _ => kind,
        };
        if let Some(place) = self.places.get(kind).and_then(|devices| devices.get(device)) {
            return Some(*place);
        }
        self.has_too_many_kinds |=
            self.kinds.is_none() && self.places.len() == MOST_KINDS && !self.places.contains_key(kind);
        let place = u8::try_from(self.cells.len()).ok().filter(|_| !self.has_too_many_kinds)?;
        self.cells.push((kind.to_owned(), device.to_owned(), Counts::default()));
        self.places.entry(kind.to_owned()).or_default().insert(device.to_owned(), place);
        Some(place)
    }

    /// How many searches there were, without those that were folded.
    pub(super) fn searches(&self) -> u64 {
        self.cells.iter().map(|(_, _, counts)| counts.searches).sum()
    }

    /// The counts of all, of each kind, of each device, and of both together; each is put together when it is asked for.
    pub(super) fn metrics(&self, starts_at: Timestamp, orphans: u64) -> impl Iterator<Item = SearchMetrics> + Send {
        let mut groups: HashSet<(Option<&str>, Option<&str>)> = HashSet::from([(None, None)]);
        for (kind, device, _) in &self.cells {
            let (kind, device) = (Some(kind.as_str()), Some(device.as_str()));
            groups.extend([(kind, None), (None, device), (kind, device)]);
        }
        let crowd = self.crowd.by_cells();
        groups.into_iter().map(move |(kind, device)| {
            let mut counts = Counts::default();
            let mut cells = Cells::default();
            for (place, (its_kind, its_device, cell)) in (0..=u8::MAX).zip(&self.cells) {
                if kind.is_none_or(|kind| kind == its_kind) && device.is_none_or(|device| device == its_device) {
                    counts.add_all(cell);
                    cells.insert(place);
                }
            }
            let orphans = if (kind, device) == (None, None) { orphans } else { 0 };
            let metrics = counts.metrics(starts_at, crowd.in_any_of(&cells), orphans);
            SearchMetrics { kind: kind.map(str::to_owned), device: device.map(str::to_owned), ..metrics }
        })
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

    fn fact(continued: bool, used: bool) -> Fact {
        Fact {
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
        }
    }

    #[test]
    fn a_query_is_counted_without_what_names_somebody() {
        let mut tally = Tally::new(true);
        for query in ["ana@example.com", "bea@example.com", "pia"] {
            tally.add(&Fact { query: query.to_owned(), ..fact(false, false) });
        }
        let queries = tally.into_queries().unwrap();
        assert_eq!((queries["•"].searches, queries["pia"].searches, queries.len()), (2, 1, 2));
    }

    #[test]
    fn of_too_many_kinds_it_is_begun_anew_with_those_that_are_known() {
        let of_kind = |n: usize| Fact { kind: format!("k{n}"), ..fact(false, false) };
        let mut tally = Tally::new(false);
        (0..MOST_KINDS).for_each(|n| tally.add(&of_kind(n)));
        assert!(!tally.has_too_many_kinds() && tally.searches() == 50);
        tally.add(&of_kind(MOST_KINDS));
        assert!(tally.has_too_many_kinds());
        let mut tally = Tally::of_kinds(HashSet::from(["k7".to_owned()]), false);
        (0..1_000).for_each(|n| tally.add(&of_kind(n)));
        let all: Vec<SearchMetrics> = tally.metrics(Timestamp::UNIX_EPOCH, 0).filter(|m| m.device.is_none()).collect();
        let of = |kind: Option<&str>| all.iter().find(|m| m.kind.as_deref() == kind).map(|m| m.searches);
        assert_eq!((of(None), of(Some("k7")), of(Some(OTHER)), all.len()), (Some(1_000), Some(1), Some(999), 3));
    }

    #[test]
    fn a_text_on_its_way_is_folded_unless_somebody_used_what_it_found() {
        let mut tally = Tally::new(true);
        [fact(true, false), fact(true, true), fact(false, false)].into_iter().for_each(|fact| tally.add(&fact));
        let all: Vec<SearchMetrics> = tally.metrics(Timestamp::UNIX_EPOCH, 3).collect();
        assert_eq!(all.len(), 4);
        let total = all.iter().find(|m| m.kind.is_none() && m.device.is_none()).unwrap();
        assert_eq!((total.searches, total.folded, total.clicked, total.unique_searchers), (2, 1, 1, Some(1)));
        assert_eq!(all.iter().map(|m| m.orphans).sum::<u64>(), 3);
        let expected = QueryCounts { searches: 2, few_results: 2, clicked: 1, ..QueryCounts::default() };
        assert_eq!(tally.into_queries().unwrap()["pia"], expected);
    }
}
