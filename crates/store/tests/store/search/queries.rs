//! Popular, trending, problem and zero-result queries.

use store::{NewSearch, QuerySort};

use super::{DAY, HOUR, click, ingest, roll, stranger, t};
use crate::both::{World, on_both};

/// So many searches for `query` at `at`, each with `results`.
fn many(count: usize, query: &str, at: i64, results: u32) -> Vec<NewSearch> {
    let id = |n: usize| format!("{}-{at}-{results}-{n}", query.replace(' ', "_"));
    (0..count).map(|n| NewSearch { results, ..stranger(&id(n), t(at), query) }).collect()
}

async fn names(world: &World, sort: QuerySort, from: i64, to: i64, now: i64) -> Vec<String> {
    let found = world.store.search_queries(sort, t(from), t(to), 50, t(now)).await.unwrap();
    found.into_iter().map(|query| query.query).collect()
}

on_both! {
    async fn each_list_tells_what_its_name_says(world) {
        let yesterday = [many(30, "piano", 60, 9), many(6, "guitar", 60, 9), many(8, "oboe", 60, 0), many(7, "cello", 60, 0)].concat();
        let today = [
            // The most searched, and no more than yesterday.
            many(30, "piano", DAY + 60, 9),
            // More than yesterday, from much and from nothing.
            many(9, "guitar", DAY + 60, 9),
            many(12, "harp", DAY + 60, 9),
            // Too few to say anything.
            many(4, "lute", DAY + 60, 9),
            // Found nothing, as yesterday; found nothing for the first time.
            many(8, "oboe", DAY + 60, 0),
            many(5, "theremin", DAY + 60, 0),
            many(9, "cello", DAY + 60, 0),
            many(4, "zither", DAY + 60, 0),
            // Found much, and nobody wanted it.
            many(7, "kazoo", DAY + 60, 9),
        ]
        .concat();
        ingest(&world.store, &yesterday, &[], t(DAY + 1)).await;
        ingest(&world.store, &today, &[], t(DAY + 61)).await;
        let clicks: Vec<_> = ["piano", "guitar", "harp", "lute", "oboe"]
            .iter()
            .flat_map(|query| {
                let results = if *query == "oboe" { 0 } else { 9 };
                let search = format!("{query}-{}-{results}-0", DAY + 60);
                [click(&format!("c-{query}"), &search, t(DAY + 65), 1)]
            })
            .collect();
        ingest(&world.store, &[], &clicks, t(DAY + 70)).await;
        roll(&world.store, t(DAY + 100)).await;

        // Read by the hour, by the day, and by both.
        for (from, to, now) in
            [(DAY, 2 * DAY, DAY + 100), (DAY, 2 * DAY, 20 * DAY), (DAY - 5 * HOUR, 2 * DAY - 5 * HOUR, 20 * DAY)]
        {
            assert_eq!(names(world, QuerySort::Popular, from, to, now).await[..2], ["piano", "harp"]);
            let trending = names(world, QuerySort::Trending, from, to, now).await;
            if from == DAY {
                assert_eq!(trending, ["harp", "kazoo", "theremin", "guitar", "cello"]);
            }
            assert_eq!(names(world, QuerySort::Problem, from, to, now).await, ["cello", "oboe", "kazoo", "theremin"]);
            let zero = names(world, QuerySort::Zero, from, to, now).await;
            assert_eq!(zero, ["theremin", "cello"], "more often than before, and not too few");
        }
        let found = world.store.search_queries(QuerySort::Trending, t(DAY), t(2 * DAY), 1, t(DAY)).await.unwrap();
        assert_eq!((found.len(), found[0].searches, found[0].previous_searches), (1, 12, 0));
        assert!((found[0].growth() - 17.0 / 5.0).abs() < 1e-9);
    }
}
