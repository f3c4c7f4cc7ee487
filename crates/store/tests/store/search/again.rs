//! Windows that are counted again long after: nothing that was counted is lost. And windows of very many kinds.

use std::collections::BTreeMap;

use store::{Breakdown, Granularity, MetricsFilter, NewSearch, Old, QuerySort, SearchRules};

use super::{DAY, HOUR, hour, ingest, number, roll, search, stranger, t};
use crate::both::{World, fresh_id, on_both};

async fn queries(world: &World, from: i64, to: i64, now: i64) -> BTreeMap<String, u64> {
    let found = world.store.search_queries(QuerySort::Popular, t(from), t(to), 1000, t(now)).await.unwrap();
    found.into_iter().map(|query| (query.query, query.searches)).collect()
}

fn counts<const N: usize>(all: [(&str, u64); N]) -> BTreeMap<String, u64> {
    all.into_iter().map(|(query, count)| (query.to_owned(), count)).collect()
}

on_both! {
    async fn an_hour_of_an_old_day_that_is_counted_again_costs_the_day_no_query(world) {
        let searches = [stranger("a", t(60), "piano"), stranger("b", t(5 * HOUR), "piano"), stranger("c", t(7 * HOUR), "harp")];
        ingest(&world.store, &searches, &[], t(8 * HOUR)).await;
        roll(&world.store, t(8 * HOUR)).await;
        let now = 40 * DAY;
        assert_eq!(world.store.take_out(Old::HourlyQueries, t(5 * DAY), t(now)).await.unwrap(), 3);
        assert_eq!(queries(world, 0, DAY, now).await, counts([("harp", 1), ("piano", 2)]));
        // By hand, and by an event that was in a queue all the time.
        world.store.mark_search_hours(t(5 * HOUR), t(6 * HOUR), fresh_id(), t(now)).await.unwrap();
        roll(&world.store, t(now)).await;
        assert_eq!(queries(world, 0, DAY, now).await, counts([("harp", 1), ("piano", 2)]));
        ingest(&world.store, &[stranger("late", t(90), "lute")], &[], t(now)).await;
        roll(&world.store, t(now)).await;
        assert_eq!(queries(world, 0, DAY, now).await, counts([("harp", 1), ("lute", 1), ("piano", 2)]));
        assert_eq!(world.store.dirty_search_windows(Granularity::Day).await.unwrap(), []);
    }

    async fn a_window_whose_events_are_gone_stays_as_it_was_counted(world) {
        let searches = [search("user", t(60), "piano"), stranger("guest", t(61), "harp"), stranger("other", t(3 * HOUR), "harp")];
        ingest(&world.store, &searches, &[], t(4 * HOUR)).await;
        roll(&world.store, t(4 * HOUR)).await;
        let now = 100 * DAY;
        assert_eq!(world.store.take_out(Old::GuestSearches, t(10 * DAY), t(now)).await.unwrap(), 2);
        for (old, left) in [(None, 2), (Some(Old::SearchEvents), 2)] {
            if let Some(old) = old {
                world.store.take_out(old, t(10 * DAY), t(now)).await.unwrap();
            }
            world.store.mark_search_hours(t(0), t(HOUR), fresh_id(), t(now)).await.unwrap();
            roll(&world.store, t(now)).await;
            assert_eq!(hour(world, t(0)).await.searches, left);
            let day = world.store.search_metrics(t(0), t(DAY), Granularity::Day, &MetricsFilter::default()).await.unwrap();
            assert_eq!(day[0].searches, 3);
            assert_eq!(queries(world, 0, DAY, now).await, counts([("harp", 2), ("piano", 1)]));
            for granularity in [Granularity::Hour, Granularity::Day] {
                assert_eq!(world.store.dirty_search_windows(granularity).await.unwrap(), [], "it is not looked at for ever");
            }
        }
    }

    async fn those_who_die_in_the_middle_of_a_day_lose_nothing(world) {
        const ROUNDS: i64 = 10;
        let turn = "SELECT turn FROM search_state";
        for round in 0..ROUNDS {
            let id = |hour: i64| format!("r{round}-{hour}");
            let searches: Vec<NewSearch> =
                (0..24).map(|hour| stranger(&id(hour), t(hour * HOUR + 60 + round), "x")).collect();
            ingest(&world.store, &searches, &[], t(DAY)).await;
            let mut counting = Vec::new();
            for _ in 0..2 {
                let store = world.another().await;
                counting.push(tokio::spawn(async move {
                    store.roll_search_window(Granularity::Day, t(0), &SearchRules::default(), t(DAY)).await
                }));
            }
            // Two count the same day, and are cut off a few hours further with each round.
            let enough = number(world, turn).await + 6 * round;
            while !counting.iter().all(tokio::task::JoinHandle::is_finished) && number(world, turn).await < enough {
                tokio::task::yield_now().await;
            }
            for one in counting {
                one.abort();
                if let Ok(rolled) = one.await {
                    rolled.unwrap();
                }
            }
        }
        roll(&world.store, t(DAY)).await;
        for granularity in [Granularity::Hour, Granularity::Day] {
            assert_eq!(world.store.dirty_search_windows(granularity).await.unwrap(), []);
            let end = t(DAY);
            let counted = world.store.search_metrics(t(0), end, granularity, &MetricsFilter::default()).await.unwrap();
            let each = 240 / u64::try_from(counted.len()).unwrap();
            assert!(counted.iter().all(|m| m.searches == each), "{counted:?}");
        }
        assert_eq!(queries(world, 0, DAY, 30 * DAY).await, counts([("x", 240)]));
    }

    async fn of_very_many_kinds_the_most_frequent_are_counted_and_the_others_together(world) {
        let of_kind = |n: usize, kind: &str, who: usize| NewSearch {
            subject: Some(format!("u{who}")),
            session: None,
            kind: kind.to_owned(),
            ..search(&format!("k{n}"), t(n as i64 / 10), "x")
        };
        // A client that counts in the kind, for a few searchers, beside those who search.
        let many: Vec<NewSearch> = (0..3_000)
            .map(|n| match n % 6 {
                0 => of_kind(n, "text", n % 7),
                1 => of_kind(n, "voice", n % 7),
                _ => of_kind(n, &format!("k{n}"), n % 7),
            })
            .collect();
        for some in many.chunks(500) {
            ingest(&world.store, some, &[], t(HOUR)).await;
        }
        roll(&world.store, t(HOUR)).await;
        for (granularity, end) in [(Granularity::Hour, HOUR), (Granularity::Day, DAY)] {
            let of = async |by| {
                let filter = MetricsFilter { by, ..MetricsFilter::default() };
                world.store.search_metrics(t(0), t(end), granularity, &filter).await.unwrap()
            };
            let (all, kinds) = (of(None).await, of(Some(Breakdown::Kind)).await);
            assert_eq!((all[0].searches, all[0].unique_searchers), (3_000, Some(7)));
            assert!(kinds.len() <= 51, "{}", kinds.len());
            let found: BTreeMap<&str, u64> = kinds.iter().map(|m| (m.kind.as_deref().unwrap(), m.searches)).collect();
            assert_eq!((found["text"], found["voice"]), (500, 500));
            assert_eq!(found["other"], 2_000 - 48, "two of the fifty are real");
            assert_eq!(found.values().sum::<u64>(), 3_000);
            assert!(kinds.iter().find(|m| m.kind.as_deref() == Some("other")).unwrap().unique_searchers == Some(7));
            assert_eq!(queries(world, 0, end, 30 * DAY).await, counts([("x", 3_000)]));
        }
    }
}
