//! What should be counted, computed plainly and slowly from the list of all events.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use store::{
    CLOCKS_APART, InteractionKind, NewInteraction, NewSearch, QuerySort, SearchMetrics, SearchQuery, SearchRules,
};

/// Every event that was ever sent.
pub struct Everything<'a> {
    pub searches: &'a [NewSearch],
    pub interactions: &'a [NewInteraction],
    pub rules: SearchRules,
}

fn plus(at: Timestamp, time: Duration) -> Timestamp {
    at + time
}

impl Everything<'_> {
    fn belongs(&self, interaction: &NewInteraction, search: &NewSearch) -> bool {
        interaction.search == search.id.key
            && plus(search.at, self.rules.attribution) >= interaction.at
            && plus(interaction.at, CLOCKS_APART) >= search.at
    }

    fn with<'s>(&'s self, search: &'s NewSearch) -> impl Iterator<Item = &'s NewInteraction> {
        self.interactions.iter().filter(|interaction| self.belongs(interaction, search))
    }

    fn clicks(&self, search: &NewSearch) -> Vec<&NewInteraction> {
        self.interactions.iter().filter(|i| i.kind == InteractionKind::Click && self.belongs(i, search)).collect()
    }

    fn is_used(&self, search: &NewSearch) -> bool {
        self.with(search).any(|i| !matches!(i.kind, InteractionKind::View | InteractionKind::Hover))
    }

    fn is_folded(&self, search: &NewSearch) -> bool {
        let Some(session) = search.session else { return false };
        let place = |s: &NewSearch| (s.at, s.id.key);
        let next = self
            .searches
            .iter()
            .filter(|other| other.session == Some(session) && place(other) > place(search))
            .min_by_key(|other| place(other));
        next.is_some_and(|next| {
            let goes_on = next.query.len() > search.query.len() && next.query.starts_with(&search.query);
            goes_on && !search.query.is_empty() && next.at <= plus(search.at, self.rules.typeahead)
        }) && !self.is_used(search)
    }

    fn in_window(&self, from: Timestamp, to: Timestamp) -> Vec<&NewSearch> {
        self.searches.iter().filter(|s| s.at >= from && s.at < to).collect()
    }

    /// What should be counted of a window, for each group that occurs and for all.
    pub fn metrics(&self, from: Timestamp, to: Timestamp) -> BTreeMap<(Option<String>, Option<String>), SearchMetrics> {
        let searches = self.in_window(from, to);
        let mut groups = BTreeSet::from([(None, None)]);
        for s in &searches {
            let (kind, device) = (Some(s.kind.clone()), Some(s.device.to_string()));
            groups.extend([(kind.clone(), None), (None, device.clone()), (kind, device)]);
        }
        groups
            .into_iter()
            .map(|(kind, device)| ((kind.clone(), device.clone()), self.group(&searches, kind, device, from, to)))
            .collect()
    }

    fn group(
        &self,
        searches: &[&NewSearch],
        kind: Option<String>,
        device: Option<String>,
        from: Timestamp,
        to: Timestamp,
    ) -> SearchMetrics {
        let ours = |s: &&&NewSearch| {
            kind.as_ref().is_none_or(|kind| *kind == s.kind) && device.as_ref().is_none_or(|d| *d == s.device.as_str())
        };
        let all: Vec<&NewSearch> = searches.iter().filter(ours).copied().collect();
        let kept: Vec<&NewSearch> = all.iter().filter(|s| !self.is_folded(s)).copied().collect();
        let count = |holds: &dyn Fn(&NewSearch) -> bool| kept.iter().filter(|s| holds(s)).count() as u64;
        let clicks = |s: &NewSearch| self.clicks(s);
        let booked = |s: &NewSearch| self.with(s).any(|i| i.kind == InteractionKind::Book);
        let positions: Vec<u64> =
            kept.iter().flat_map(|s| clicks(s)).filter_map(|click| click.position).map(u64::from).collect();
        let best = |s: &NewSearch| clicks(s).iter().filter_map(|click| click.position).min();
        let results: Vec<f64> = kept.iter().map(|s| f64::from(s.results)).collect();
        let seconds = |s: &NewSearch| {
            let after = |click: &&NewInteraction| {
                let by_clock = (click.at.as_millisecond() - s.at.as_millisecond()).max(0) as f64;
                click.after_ms.map_or(by_clock, f64::from) / 1000.0
            };
            clicks(s).iter().map(after).min_by(f64::total_cmp)
        };
        let first: Vec<f64> = kept.iter().filter_map(|s| seconds(s)).collect();
        let searchers: BTreeSet<&str> = kept.iter().filter_map(|s| s.subject.as_deref()).collect();
        let orphans = self
            .interactions
            .iter()
            .filter(|i| i.at >= from && i.at < to && !self.searches.iter().any(|s| self.belongs(i, s)));
        let everything = (kind.is_none() && device.is_none()).then_some(());
        SearchMetrics {
            starts_at: from,
            searches: kept.len() as u64,
            guest_searches: count(&|s| s.guest),
            unique_searchers: Some(searchers.len() as u64),
            zero_results: count(&|s| s.results == 0),
            clicked: count(&|s| !clicks(s).is_empty()),
            positions: positions.len() as u64,
            position_sum: positions.iter().sum(),
            reciprocal_sum: kept.iter().filter_map(|s| best(s)).map(|best| 1.0 / f64::from(best)).sum(),
            booked: count(&booked),
            guest_booked: count(&|s| s.guest && booked(s)),
            abandoned: count(&|s| !self.is_used(s)),
            results_median: percentile(&results, 0.5),
            results_p90: percentile(&results, 0.9),
            first_click_median: percentile(&first, 0.5),
            first_click_p90: percentile(&first, 0.9),
            folded: (all.len() - kept.len()) as u64,
            orphans: everything.map_or(0, |()| orphans.count() as u64),
            kind,
            device,
        }
    }

    /// What should be counted of each query.
    fn counts(&self, from: Timestamp, to: Timestamp) -> BTreeMap<String, SearchQuery> {
        let mut queries = BTreeMap::new();
        for s in self.in_window(from, to).into_iter().filter(|s| !s.query.is_empty() && !self.is_folded(s)) {
            let q = queries.entry(s.query.clone()).or_insert_with(|| SearchQuery {
                query: s.query.clone(),
                searches: 0,
                zero_results: 0,
                few_results: 0,
                clicked: 0,
                booked: 0,
                previous_searches: 0,
                previous_zero_results: 0,
            });
            q.searches += 1;
            q.zero_results += u64::from(s.results == 0);
            q.few_results += u64::from(s.results < 3);
            q.clicked += u64::from(self.with(s).any(|i| i.kind == InteractionKind::Click));
            q.booked += u64::from(self.with(s).any(|i| i.kind == InteractionKind::Book));
        }
        queries
    }

    /// The queries of a list, in its order.
    pub fn queries(&self, sort: QuerySort, from: Timestamp, to: Timestamp) -> Vec<SearchQuery> {
        let before = self.counts(from - to.duration_since(from), from);
        let mut all: Vec<SearchQuery> = self.counts(from, to).into_values().collect();
        for q in &mut all {
            if let Some(before) = before.get(&q.query) {
                (q.previous_searches, q.previous_zero_results) = (before.searches, before.zero_results);
            }
        }
        let grown = |now: u64, before: u64| (now as f64 + 5.0) / (before as f64 + 5.0);
        let wrong = |q: &SearchQuery| if q.clicked == 0 { q.searches } else { q.few_results };
        let stands = |q: &SearchQuery| match sort {
            QuerySort::Popular => true,
            QuerySort::Trending => q.searches >= 5 && q.searches > q.previous_searches,
            QuerySort::Problem => q.searches >= 5 && (q.few_results * 2 >= q.searches || q.clicked == 0),
            QuerySort::Zero => q.zero_results >= 5 && q.zero_results > q.previous_zero_results,
        };
        // The highest first, then by the text.
        let by = |q: &SearchQuery| match sort {
            QuerySort::Popular => (q.searches as f64, 0),
            QuerySort::Trending => (grown(q.searches, q.previous_searches), q.searches),
            QuerySort::Problem => (wrong(q) as f64, q.searches),
            QuerySort::Zero => (grown(q.zero_results, q.previous_zero_results), q.zero_results),
        };
        all.retain(stands);
        all.sort_by(|a, b| by(b).partial_cmp(&by(a)).unwrap().then_with(|| a.query.cmp(&b.query)));
        all
    }
}

/// Between the two nearest of the sorted list, by their distance.
fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = share * (sorted.len().checked_sub(1)? as f64);
    let (low, high) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
    Some(low + (high - low) * (rank - rank.floor()))
}

/// The rates of a window, each from its definition.
fn rates(m: &SearchMetrics) -> [Option<f64>; 7] {
    let of = |part: u64, whole: u64| if whole == 0 { None } else { Some(part as f64 / whole as f64) };
    [
        of(m.zero_results, m.searches),
        of(m.clicked, m.searches),
        of(m.position_sum, m.positions),
        if m.searches == 0 { None } else { Some(m.reciprocal_sum / m.searches as f64) },
        of(m.booked, m.searches),
        of(m.guest_booked, m.guest_searches),
        of(m.abandoned, m.searches),
    ]
}

/// Whether what was found is what is expected, rates included, up to the last digits of what was divided.
pub fn same(found: &SearchMetrics, expected: &SearchMetrics) -> bool {
    let near = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-6,
        (a, b) => a == b,
    };
    let divided = |m: &SearchMetrics| {
        [m.results_median, m.results_p90, m.first_click_median, m.first_click_p90, Some(m.reciprocal_sum)]
    };
    let told = [
        found.zero_result_rate(),
        found.click_through_rate(),
        found.mean_click_position(),
        found.mean_reciprocal_rank(),
        found.booking_conversion(),
        found.guest_conversion(),
        found.abandonment(),
    ];
    let all_near = divided(found).into_iter().zip(divided(expected)).all(|(a, b)| near(a, b))
        && told.into_iter().zip(rates(expected)).all(|(a, b)| near(a, b));
    let counts = |m: &SearchMetrics| SearchMetrics {
        results_median: None,
        results_p90: None,
        first_click_median: None,
        first_click_p90: None,
        reciprocal_sum: 0.0,
        ..m.clone()
    };
    all_near && counts(found) == counts(expected)
}
