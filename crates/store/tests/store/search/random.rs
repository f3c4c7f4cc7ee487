//! Random events in a random order, some of them twice, counted in between: every count is that of a plain computation.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use store::{
    Breakdown, Device, EventId, Granularity, InteractionKind, MetricsFilter, NewInteraction, NewSearch, QuerySort,
    SearchRules, session_key,
};

use super::plain::{Everything, same};
use super::{DAY, HOUR, ingest, roll, t};
use crate::both::{World, fresh_id, on_both};

/// Random cases of a run, after those that are always the same.
const CASES: i64 = 10;
const FIXED: i64 = 2;
/// Each case has days of its own.
const APART: i64 = 10 * DAY;
const QUERIES: [&str; 7] = ["", "p", "pi", "pia", "piano", "violin", "piano łódź"];
const KINDS: [&str; 3] = ["text", "category", "voice"];
/// Searches are around the ends of these hours.
const HOURS: [i64; 4] = [1, 23, 24, 30];
/// From the search to the interaction: at once, before it (clocks differ), within its time and beyond.
const DELAYS: [i64; 8] = [0, 3, -4, -299, 600, 2 * HOUR, 48 * HOUR - 20, 49 * HOUR];

type SearchSeed = (usize, i64, (u8, Option<u8>, bool), usize, usize, usize, u32);
type InteractionSeed = (usize, usize, usize, Option<u32>, Option<u32>);

fn seeds() -> impl Strategy<Value = (Vec<SearchSeed>, Vec<InteractionSeed>, u64)> {
    let who = (0_u8..3, prop::option::of(0_u8..3), prop::bool::weighted(0.8));
    let search = (0..HOURS.len(), -20_i64..20, who, 0..QUERIES.len(), 0..KINDS.len(), 0..4_usize, 0_u32..6);
    let interaction =
        (0..45_usize, 0..6_usize, 0..DELAYS.len(), prop::option::of(1_u32..6), prop::option::of(0_u32..9_000));
    (prop::collection::vec(search, 1..40), prop::collection::vec(interaction, 0..60), any::<u64>())
}

fn searches_of(seeds: &[SearchSeed], case: i64) -> Vec<NewSearch> {
    let new = |(n, (hour, second, (session, user, consent), query, kind, device, results)): (usize, &SearchSeed)| {
        let user = user.map(|user| format!("u{user}"));
        let session = format!("s{session}");
        NewSearch {
            id: EventId::new(&format!("{case}-s{n}")),
            at: t(case * APART + HOURS[*hour] * HOUR + second),
            guest: user.is_none(),
            subject: consent.then(|| user.unwrap_or_else(|| session.clone())),
            session: consent.then(|| session_key(&session)),
            consent: *consent,
            query: QUERIES[*query].to_owned(),
            kind: KINDS[*kind].to_owned(),
            device: Device::ALL[*device],
            results: *results,
            filters: None,
            referrer: None,
            network: None,
        }
    };
    seeds.iter().enumerate().map(new).collect()
}

fn interactions_of(seeds: &[InteractionSeed], searches: &[NewSearch], case: i64) -> Vec<NewInteraction> {
    let new = |(n, (search, kind, delay, position, after_ms)): (usize, &InteractionSeed)| {
        // Beyond the searches there are none.
        let begins = searches.get(*search).map_or(t(case * APART + 20 * HOUR), |search| search.at);
        NewInteraction {
            id: EventId::new(&format!("{case}-i{n}")),
            at: begins + jiff::SignedDuration::from_secs(DELAYS[*delay]),
            search: EventId::new(&format!("{case}-s{search}")).key,
            kind: InteractionKind::ALL[*kind],
            item: None,
            position: *position,
            after_ms: *after_ms,
        }
    };
    seeds.iter().enumerate().map(new).collect()
}

/// The random choices of a seed.
fn runner(seed: u128) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// The seed of a case, told if it fails.
struct Seed(u128);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the seed of the case that failed: {:#x}", self.0);
        }
    }
}

/// A small generator for orders: the same for the same seed.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

async fn compare(world: &World, everything: &Everything<'_>, granularity: Granularity, from: Timestamp, to: Timestamp) {
    let mut start = from;
    while start < to {
        let end = granularity.next(start);
        let expected = everything.metrics(start, end);
        let mut found = BTreeMap::new();
        for by in [None, Some(Breakdown::Kind), Some(Breakdown::Device)] {
            let filter = MetricsFilter { by, ..MetricsFilter::default() };
            for m in world.store.search_metrics(start, end, granularity, &filter).await.unwrap() {
                found.insert((m.kind.clone(), m.device.clone()), m);
            }
        }
        for (kind, device) in expected.keys().filter(|(kind, device)| kind.is_some() && device.is_some()) {
            let filter = MetricsFilter { kind: kind.clone(), device: device.clone(), by: None };
            for m in world.store.search_metrics(start, end, granularity, &filter).await.unwrap() {
                found.insert((m.kind.clone(), m.device.clone()), m);
            }
        }
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{granularity} {start}");
        for (group, expected) in &expected {
            let found = &found[group];
            assert!(
                same(found, expected),
                "{granularity} {start} {group:?}\nfound    {found:?}\nexpected {expected:?}"
            );
        }
        let now = end + jiff::SignedDuration::from_hours(24 * 30);
        for (now, sort) in [start, now].into_iter().flat_map(|now| QuerySort::ALL.iter().map(move |sort| (now, *sort)))
        {
            let found = world.store.search_queries(sort, start, end, 1000, now).await.unwrap();
            assert_eq!(found, everything.queries(sort, start, end), "{sort} {granularity} {start}");
        }
        start = end;
    }
}

on_both! {
    async fn every_count_is_that_of_a_plain_computation(world) {
        let rules = SearchRules::default();
        for case in 0..FIXED + CASES {
            let seed = match case < FIXED {
                true => u128::try_from(case).unwrap(),
                false => fresh_id().as_u128(),
            };
            // Shown if it fails: with it as the seed of the first case the same events come again.
            let told = Seed(seed);
            let mut runner = runner(seed);
            let (search_seeds, interaction_seeds, mut order) = seeds().new_tree(&mut runner).unwrap().current();
            let searches = searches_of(&search_seeds, case);
            let interactions = interactions_of(&interaction_seeds, &searches, case);
            let base = case * APART;

            // In any order, a few at a time, every fifth batch twice, counted now and then.
            let mut sent: Vec<(u64, usize)> = (0..searches.len() + interactions.len()).map(|n| (next(&mut order), n)).collect();
            sent.sort_unstable();
            let mut now = base + 3 * DAY;
            for some in sent.chunks(4) {
                let mut batch: (Vec<NewSearch>, Vec<NewInteraction>) = Default::default();
                for (_, n) in some {
                    match n.checked_sub(searches.len()) {
                        None => batch.0.push(searches[*n].clone()),
                        Some(n) => batch.1.push(interactions[n].clone()),
                    }
                }
                for _ in 0..1 + u64::from(next(&mut order).is_multiple_of(5)) {
                    ingest(&world.store, &batch.0, &batch.1, t(now)).await;
                }
                if next(&mut order).is_multiple_of(4) {
                    world.store.settle_searches(&rules, fresh_id, t(now), || false).await.unwrap();
                    roll(&world.store, t(now)).await;
                }
                now += 400;
            }
            now += HOUR;
            for _ in 0..2 {
                world.store.settle_searches(&rules, fresh_id, t(now), || false).await.unwrap();
            }
            roll(&world.store, t(now)).await;
            for granularity in [Granularity::Hour, Granularity::Day] {
                assert_eq!(world.store.dirty_search_windows(granularity).await.unwrap(), []);
            }
            let everything = Everything { searches: &searches, interactions: &interactions, rules };
            for hour in [0, 1, 22, 23, 24, 29, 30, 48, 50] {
                let start = t(base + hour * HOUR);
                compare(world, &everything, Granularity::Hour, start, t(base + (hour + 1) * HOUR)).await;
            }
            compare(world, &everything, Granularity::Day, t(base), t(base + 4 * DAY)).await;
            drop(told);
        }
    }
}
