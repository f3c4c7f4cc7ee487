//! What has grown old: guests first, then everybody, months as a whole; counts stay.

use std::collections::BTreeSet;

use sqlx::{Connection, Row};
use store::{NewSearch, Old, QuerySort, SubjectOf};

use super::{DAY, HOUR, click, hour, ingest, roll, search, stranger, t};
use crate::both::{World, on_both};

async fn ids(world: &World) -> BTreeSet<String> {
    let searches = "SELECT given_id FROM searches UNION ALL SELECT given_id FROM search_interactions";
    match &world.database {
        Some(_) => {
            let mut connection = sqlx::PgConnection::connect(&world.url).await.unwrap();
            let rows = sqlx::query(searches).fetch_all(&mut connection).await.unwrap();
            rows.iter().map(|row| row.get(0)).collect()
        }
        None => {
            let mut connection = sqlx::SqliteConnection::connect(&world.url).await.unwrap();
            let rows = sqlx::query(searches).fetch_all(&mut connection).await.unwrap();
            rows.iter().map(|row| row.get(0)).collect()
        }
    }
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

on_both! {
    async fn guests_go_first_then_everybody_and_what_was_counted_stays(world) {
        let guest = |id: &str, at| NewSearch { guest: true, ..search(id, t(at), "x") };
        let searches = [search("user", t(60), "x"), guest("old", 61), stranger("stranger", t(62), "x"), guest("new", 5 * DAY)];
        let clicks = [click("c-user", "user", t(65), 1), click("c-old", "old", t(66), 1), click("c-lost", "lost", t(67), 1)];
        ingest(&world.store, &searches[..3], &clicks, t(70)).await;
        ingest(&world.store, &searches[3..], &[], t(5 * DAY)).await;
        roll(&world.store, t(5 * DAY)).await;

        assert_eq!(world.store.take_out(Old::GuestSearches, t(DAY), t(6 * DAY)).await.unwrap(), 2);
        assert_eq!(world.store.take_out(Old::GuestSearches, t(DAY), t(6 * DAY)).await.unwrap(), 0);
        assert_eq!(ids(world).await, names(&["user", "new", "c-user", "c-lost"]));
        assert_eq!(world.store.take_out(Old::SearchEvents, t(DAY), t(6 * DAY)).await.unwrap(), 2);
        assert_eq!(world.store.take_out(Old::SearchEvents, t(DAY), t(6 * DAY)).await.unwrap(), 0);
        assert_eq!(ids(world).await, names(&["new"]));
        assert_eq!(hour(world, t(0)).await.searches, 3);

        let queries = async || {
            let (from, to) = (t(0), t(DAY));
            world.store.search_queries(QuerySort::Popular, from, to, 10, t(30 * DAY)).await.unwrap().len()
        };
        assert_eq!(world.store.take_out(Old::HourlyQueries, t(5 * DAY), t(6 * DAY)).await.unwrap(), 1);
        assert_eq!(queries().await, 1, "by the day they are kept");
    }

    async fn many_guests_go_a_piece_at_a_time(world) {
        let searches: Vec<NewSearch> = (0..1_100).map(|n| stranger(&format!("g{n}"), t(n), "x")).collect();
        for some in searches.chunks(500) {
            ingest(&world.store, some, &[], t(HOUR)).await;
        }
        let mut pieces = Vec::new();
        for _ in 0..4 {
            pieces.push(world.store.take_out(Old::GuestSearches, t(DAY), t(DAY)).await.unwrap());
        }
        // The last of a piece is the first of the next, where it has a neighbour at the same instant.
        assert_eq!((pieces[0], pieces.iter().sum::<u32>()), (500, 1_100), "{pieces:?}");
        assert_eq!(ids(world).await, names(&[]));
    }

    async fn an_erasure_is_remembered_for_a_while(world) {
        world.store.erase_search_subject("u1", SubjectOf::User, t(0)).await.unwrap();
        assert_eq!(world.store.take_out(Old::SearchErasures, t(0), t(0)).await.unwrap(), 0);
        assert_eq!(world.store.take_out(Old::SearchErasures, t(1), t(1)).await.unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn months_are_made_when_they_are_needed_and_dropped_as_a_whole() {
    let world = World::postgres().await;
    let partitions = async || {
        let mut connection = sqlx::PgConnection::connect(&world.url).await.unwrap();
        let rows = sqlx::query("SELECT relname::text FROM pg_class WHERE relispartition AND relkind = 'r' ORDER BY 1");
        let rows = rows.fetch_all(&mut connection).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>(0)).filter(|name| name.contains("2031")).collect::<Vec<_>>()
    };
    let at = |text: &str| text.parse().unwrap();
    assert_eq!(partitions().await, [""; 0]);
    // Two at once find that the month is missing.
    let batches = ["a", "b"].map(|id| [stranger(id, at("2031-01-31T23:59:59.999Z"), "x")]);
    let writes = batches.map(|batch| {
        let store = world.store.clone();
        tokio::spawn(async move { ingest(&store, &batch, &[], "2031-02-01T00:00:00Z".parse().unwrap()).await })
    });
    for written in writes {
        assert_eq!(written.await.unwrap().searches, 1);
    }
    assert_eq!(partitions().await, ["search_interactions_2031_01", "searches_2031_01"]);
    world.store.make_search_partitions_ahead(at("2031-01-31T00:00:00Z")).await.unwrap();
    assert_eq!(partitions().await.len(), 6);
    // January is only dropped when all of it is old.
    let dropped = world.store.drop_search_partitions(at("2031-01-31T23:59:59Z")).await.unwrap();
    assert_eq!((partitions().await.len(), ids(&world).await), (6, names(&["a", "b"])), "{dropped}");
    assert_eq!(world.store.drop_search_partitions(at("2031-02-01T00:00:00Z")).await.unwrap(), 2);
    assert_eq!((partitions().await.len(), ids(&world).await), (4, names(&[])));
    let report = [click("c", "a", at("2031-02-03T00:00:00Z"), 1)];
    assert_eq!(ingest(&world.store, &[], &report, at("2031-02-03T00:00:00Z")).await.waiting, 1);
}
