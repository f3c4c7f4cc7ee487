//! Single events: once each, half-open windows, latecomers, orphans, typed texts, queries that vanish.

use std::time::Duration;

use store::{Granularity, InteractionKind, MetricsFilter, NewSearch, QuerySort, SearchRules, session_key};

use super::{DAY, HOUR, click, hour, ingest, interaction, number, roll, search, stranger, t};
use crate::both::{fresh_id, on_both};

on_both! {
    async fn an_event_counts_once_however_often_it_is_sent(world) {
        let searches = [search("a", t(60), "piano"), stranger("b", t(61), "piano"), search("a", t(60), "piano")];
        let clicks = [click("c", "a", t(65), 2), click("c", "a", t(65), 2)];
        let first = ingest(&world.store, &searches, &clicks, t(70)).await;
        assert_eq!((first.searches, first.interactions, first.waiting), (2, 1, 0));
        let again = ingest(&world.store, &searches, &clicks, t(80)).await;
        assert_eq!((again.searches, again.interactions), (0, 0));
        roll(&world.store, t(100)).await;
        let counted = hour(world, t(0)).await;
        assert_eq!((counted.searches, counted.clicked, counted.positions, counted.position_sum), (2, 1, 1, 2));
        assert_eq!(counted.unique_searchers, Some(1), "who did not consent is told apart from nobody");
        assert_eq!((counted.click_through_rate(), counted.mean_reciprocal_rank()), (Some(0.5), Some(0.25)));
        assert_eq!(counted.first_click_median, Some(5.0));
        // Counting it once more changes nothing.
        world.store.mark_search_hours(t(0), t(HOUR), fresh_id(), t(110)).await.unwrap();
        assert_eq!(roll(&world.store, t(110)).await.len(), 2);
        assert_eq!(hour(world, t(0)).await, counted);
    }

    async fn a_window_holds_its_beginning_and_not_its_end(world) {
        let searches = [
            stranger("a", t(HOUR - 1), "x"),
            stranger("b", t(HOUR), "x"),
            stranger("c", t(2 * HOUR), "x"),
            stranger("d", t(DAY), "x"),
        ];
        ingest(&world.store, &searches, &[], t(DAY + 5)).await;
        roll(&world.store, t(DAY + 10)).await;
        for (start, count) in [(0, 1), (HOUR, 1), (2 * HOUR, 1), (3 * HOUR, 0), (DAY, 1)] {
            assert_eq!(hour(world, t(start)).await.searches, count, "{start}");
        }
        let days = world.store
            .search_metrics(t(0), t(2 * DAY), Granularity::Day, &MetricsFilter::default())
            .await
            .unwrap();
        assert_eq!(days.iter().map(|day| day.searches).collect::<Vec<_>>(), [3, 1]);
    }

    async fn a_latecomer_has_its_hour_and_day_counted_again_and_no_other(world) {
        ingest(&world.store, &[stranger("a", t(60), "x"), stranger("b", t(5 * HOUR), "x")], &[], t(6 * HOUR)).await;
        roll(&world.store, t(6 * HOUR)).await;
        assert_eq!(roll(&world.store, t(6 * HOUR)).await, []);
        ingest(&world.store, &[stranger("late", t(90), "x")], &[], t(2 * DAY)).await;
        let rolled = roll(&world.store, t(2 * DAY)).await;
        assert_eq!(rolled, [(Granularity::Hour, t(0)), (Granularity::Day, t(0))]);
        assert_eq!(hour(world, t(0)).await.searches, 2);
    }

    async fn an_interaction_waits_for_its_search_then_is_an_orphan_and_is_taken_over_later_still(world) {
        let rules = SearchRules::default();
        let early = ingest(&world.store, &[], &[click("c1", "later", t(60), 1), click("c2", "never", t(61), 1)], t(62)).await;
        assert_eq!((early.interactions, early.waiting), (2, 2));
        let settled = world.store.settle_searches(&rules, fresh_id, t(120), || false).await.unwrap();
        assert_eq!((settled.found, settled.orphaned), (0, 0));
        ingest(&world.store, &[stranger("later", t(58), "x")], &[], t(130)).await;
        let settled = world.store.settle_searches(&rules, fresh_id, t(140), || false).await.unwrap();
        assert_eq!((settled.found, settled.orphaned), (1, 0));
        // Its time is up.
        let settled = world.store.settle_searches(&rules, fresh_id, t(62 + 901), || false).await.unwrap();
        assert_eq!((settled.found, settled.orphaned), (0, 1));
        roll(&world.store, t(1000)).await;
        let counted = hour(world, t(0)).await;
        assert_eq!((counted.searches, counted.clicked, counted.orphans), (1, 1, 1));
        // A day later its search comes after all.
        ingest(&world.store, &[stranger("never", t(59), "x")], &[], t(DAY)).await;
        roll(&world.store, t(DAY)).await;
        let counted = hour(world, t(0)).await;
        assert_eq!((counted.searches, counted.clicked, counted.orphans), (2, 2, 0));
    }

    async fn a_search_that_waited_in_a_queue_gets_its_interactions(world) {
        let rules = SearchRules::default();
        ingest(&world.store, &[], &[click("c", "slow", t(60), 1)], t(62)).await;
        let settled = world.store.settle_searches(&rules, fresh_id, t(2 * HOUR), || false).await.unwrap();
        assert_eq!((settled.found, settled.orphaned, settled.finished), (0, 1, true));
        // It was accepted in time. Only its writing is late.
        let searches = [stranger("slow", t(58), "x")];
        let batch = store::SearchBatch {
            searches: &searches,
            interactions: &[],
            received_at: t(59),
            written_at: t(3 * HOUR),
            token: fresh_id(),
        };
        world.store.ingest_search_events(&batch, &rules).await.unwrap();
        roll(&world.store, t(3 * HOUR)).await;
        let counted = hour(world, t(0)).await;
        assert_eq!((counted.searches, counted.clicked, counted.orphans), (1, 1, 0));
    }

    async fn many_that_wait_are_settled_a_piece_at_a_time(world) {
        let rules = SearchRules::default();
        for n in 0..12 {
            let clicks: Vec<_> = (0..1_000).map(|i| click(&format!("c{n}-{i}"), "s", t(60), 1)).collect();
            ingest(&world.store, &[], &clicks, t(62)).await;
        }
        ingest(&world.store, &[stranger("s", t(58), "x")], &[], t(70)).await;
        // It is asked before each piece: before the orphans of late, the first that wait, and the next.
        let asked = std::sync::atomic::AtomicU32::new(0);
        let enough = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 2;
        let settled = world.store.settle_searches(&rules, fresh_id, t(80), enough).await.unwrap();
        assert_eq!((settled.found, settled.finished), (10_000, false));
        let settled = world.store.settle_searches(&rules, fresh_id, t(90), || false).await.unwrap();
        assert_eq!((settled.found, settled.orphaned, settled.finished), (2_000, 0, true));
        roll(&world.store, t(90)).await;
        assert_eq!(hour(world, t(0)).await.positions, 12_000);
    }

    async fn each_count_of_an_hour_leaves_a_mark_of_its_own_at_the_day(world) {
        let searches: Vec<NewSearch> =
            (0..20).map(|hour| stranger(&format!("s{hour}"), t(hour * HOUR + 60), "x")).collect();
        ingest(&world.store, &searches, &[], t(DAY)).await;
        for hour in 0..20 {
            let rules = SearchRules::default();
            world.store.roll_search_window(Granularity::Hour, t(hour * HOUR), &rules, t(DAY)).await.unwrap();
        }
        // One that were overwritten would be taken away by who has not counted what it stands for.
        let marks = "SELECT COUNT(*) FROM search_marks WHERE granularity = 'day'";
        assert_eq!(number(world, marks).await, 20, "more than those who write events have rows");
        let rolled = roll(&world.store, t(DAY)).await;
        assert_eq!((rolled, number(world, marks).await), (vec![(Granularity::Day, t(0))], 0));
    }

    async fn an_interaction_belongs_to_its_searchs_window_and_not_to_a_search_of_long_ago(world) {
        let rules = SearchRules { attribution: Duration::from_secs(3600), ..SearchRules::default() };
        ingest(&world.store, &[stranger("a", t(HOUR - 1), "x")], &[], t(HOUR)).await;
        let both = [
            interaction("in_time", "a", t(2 * HOUR - 1), InteractionKind::Book),
            interaction("too_late", "a", t(2 * HOUR), InteractionKind::Contact),
        ];
        let batch =
            store::SearchBatch { searches: &[], interactions: &both, received_at: t(2 * HOUR), written_at: t(2 * HOUR), token: fresh_id() };
        let written = world.store.ingest_search_events(&batch, &rules).await.unwrap();
        assert_eq!((written.interactions, written.waiting), (2, 1));
        roll(&world.store, t(2 * HOUR)).await;
        assert_eq!((hour(world, t(0)).await.booked, hour(world, t(HOUR)).await.searches), (1, 0));
    }

    async fn a_text_that_is_being_typed_is_one_search_over_the_hours_end_too(world) {
        let texts = ["p", "pi", "piano", "piano", "violin"];
        let typed: Vec<NewSearch> = (0_i64..)
            .zip(texts)
            .map(|(n, text)| search(&format!("s{n}"), t(HOUR - 2 + n), text))
            .collect();
        // Another session between them, one without consent, and one that is too slow.
        let others = [
            NewSearch { session: Some(session_key("s2")), ..search("o", t(HOUR - 1), "pian") },
            stranger("q", t(HOUR - 1), "pia"),
            NewSearch { session: Some(session_key("s3")), ..search("slow1", t(100), "a") },
            NewSearch { session: Some(session_key("s3")), ..search("slow2", t(111), "ab") },
        ];
        ingest(&world.store, &typed[..2], &[], t(HOUR)).await;
        roll(&world.store, t(HOUR)).await;
        assert_eq!(hour(world, t(0)).await.searches, 1, "`pi` may have been all");
        ingest(&world.store, &typed[2..], &[], t(HOUR + 5)).await;
        ingest(&world.store, &others, &[], t(HOUR + 5)).await;
        roll(&world.store, t(HOUR + 5)).await;
        let before = hour(world, t(0)).await;
        assert_eq!((before.searches, before.folded), (4, 2), "o, q, slow1 and slow2; p and pi are folded");
        let after = hour(world, t(HOUR)).await;
        assert_eq!((after.searches, after.folded), (3, 0));
        // Who clicked on what `pi` found had searched for it.
        ingest(&world.store, &[], &[click("c", "s1", t(HOUR), 1)], t(HOUR + 9)).await;
        roll(&world.store, t(HOUR + 9)).await;
        let before = hour(world, t(0)).await;
        assert_eq!((before.searches, before.folded, before.clicked), (5, 1, 1));
    }

    async fn a_query_that_is_no_longer_there_leaves_its_window(world) {
        ingest(&world.store, &[search("a", t(60), "pia"), stranger("b", t(60), "violin")], &[], t(61)).await;
        roll(&world.store, t(61)).await;
        let names = async || {
            let found = world.store.search_queries(QuerySort::Popular, t(0), t(HOUR), 10, t(HOUR)).await.unwrap();
            found.into_iter().map(|query| query.query).collect::<Vec<_>>()
        };
        assert_eq!(names().await, ["pia", "violin"]);
        ingest(&world.store, &[search("c", t(62), "piano")], &[], t(63)).await;
        roll(&world.store, t(63)).await;
        assert_eq!(names().await, ["piano", "violin"]);
    }

    async fn those_who_ingest_and_count_at_once_lose_nothing(world) {
        let mut work = Vec::new();
        for writer in 0..4_i64 {
            let store = world.another().await;
            work.push(tokio::spawn(async move {
                for n in 0..15 {
                    let searches: Vec<NewSearch> =
                        (0..20).map(|i| stranger(&format!("w{writer}-{n}-{i}"), t(n * 200 + i), "x")).collect();
                    ingest(&store, &searches, &[], t(HOUR)).await;
                }
            }));
        }
        for _ in 0..2 {
            let store = world.another().await;
            work.push(tokio::spawn(async move {
                for _ in 0..10 {
                    roll(&store, t(HOUR)).await;
                }
            }));
        }
        for one in work {
            one.await.unwrap();
        }
        roll(&world.store, t(HOUR)).await;
        assert_eq!(world.store.dirty_search_windows(Granularity::Hour).await.unwrap(), []);
        let day = world.store.search_metrics(t(0), t(DAY), Granularity::Day, &MetricsFilter::default()).await.unwrap();
        assert_eq!((hour(world, t(0)).await.searches, day[0].searches), (1200, 1200));
        let queries = world.store.search_queries(QuerySort::Popular, t(0), t(DAY), 10, t(DAY)).await.unwrap();
        assert_eq!(queries[0].searches, 1200);
    }
}
