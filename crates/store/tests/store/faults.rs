//! A database that goes away, stands still or loses its connections.

use std::time::Duration;

use store::{DeliveryFilter, NewDelivery, Store, StoreConfig, StoreError};
use testkit::{free_port, janitor};

use crate::both::{World, at, id, mail, on_both};

on_both! {
    async fn a_refused_write_harms_none_beside_it(world) {
        world.store.insert_deliveries(&[NewDelivery { id: id(1), ..mail("first") }], at(0)).await.unwrap();
        let writes = (0..60).map(|n| {
            let store = world.store.clone();
            let id = if n % 3 == 0 { id(1) } else { id(100 + n) };
            let new = [NewDelivery { id, ..mail(&format!("k{n}")) }];
            tokio::spawn(async move { store.insert_deliveries(&new, at(1)).await })
        });
        for (n, write) in writes.collect::<Vec<_>>().into_iter().enumerate() {
            let done = write.await.unwrap();
            assert_eq!(done.is_err(), n % 3 == 0, "write {n}");
            assert!(done.is_ok_and(|_| true) || n % 3 == 0);
        }
        let page = world.store.list_deliveries(&DeliveryFilter::default(), 100, None).await.unwrap();
        assert_eq!(page.items.len(), 41);
    }

    async fn a_call_that_is_dropped_midway_leaves_nothing_half_done(world) {
        for n in 0..50_u64 {
            let pair = [mail(&format!("a{n}")), mail(&format!("b{n}"))];
            let writing = world.store.insert_deliveries(&pair, at(0));
            let _ = tokio::time::timeout(Duration::from_micros(n * 40), writing).await;
        }
        let page = world.store.list_deliveries(&DeliveryFilter::default(), 1000, None).await.unwrap();
        let keys: Vec<_> = page.items.into_iter().map(|delivery| delivery.idempotency_key).collect();
        for key in &keys {
            let other = if key.starts_with('a') { key.replace('a', "b") } else { key.replace('b', "a") };
            assert!(keys.contains(&other), "{key} without {other}");
        }
        world.store.record_effect("still at work").await.unwrap();
    }

    async fn a_closed_store_says_so_and_that_is_transient(world) {
        world.store.record_effect("k").await.unwrap();
        world.store.close().await;
        for error in [world.store.record_effect("k").await.unwrap_err(), world.store.ping().await.unwrap_err()] {
            assert!(matches!(error, StoreError::Closed), "{error:?}");
            assert!(error.is_transient());
        }
        let again = world.another().await;
        assert_eq!(again.get_effect("k").await.unwrap().unwrap().runs, 1);
    }

    async fn two_processes_write_one_store(world) {
        let stores = [world.another().await, world.another().await, world.store.clone()];
        let writes = (0..90).map(|n| {
            let store = stores[n % 3].clone();
            tokio::spawn(async move { store.record_effect("k").await.unwrap() })
        });
        for write in writes.collect::<Vec<_>>() {
            write.await.unwrap();
        }
        assert_eq!(world.store.get_effect("k").await.unwrap().unwrap().runs, 90);
    }
}

#[tokio::test]
async fn a_postgres_that_is_away_does_not_keep_a_process_from_starting_and_is_transient() {
    let url = format!("postgres://nobody@127.0.0.1:{}/none", free_port());
    let config = StoreConfig { acquire_timeout: Duration::from_millis(200), ..StoreConfig::new(url) };
    let store = Store::open(&config).await.unwrap();
    let error = store.ping().await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn connections_that_postgres_drops_fail_as_transient_and_the_store_goes_on() {
    let world = World::postgres().await;
    let database = world.database.as_ref().unwrap();
    for round in 0..5 {
        assert!(database.kill_connections().await >= 1, "round {round}");
        let mut failures = 0;
        while let Err(error) = world.store.record_effect("k").await {
            assert!(error.is_transient(), "{error:?}");
            failures += 1;
            assert!(failures <= 16, "every connection of the pool fails once at most");
        }
    }
    assert_eq!(world.store.get_effect("k").await.unwrap().unwrap().runs, 5);
}

#[tokio::test]
async fn text_that_postgres_cannot_hold_is_the_callers_fault() {
    let world = World::postgres().await;
    let error = world.store.record_effect("a\0b").await.unwrap_err();
    assert!(error.is_input() && !error.is_transient(), "{error:?}");
    let new = NewDelivery { data: serde_json::json!({ "name": "a\0b" }), ..mail("k") };
    let error = world.store.insert_deliveries(&[new], at(0)).await.unwrap_err();
    assert!(error.is_input() && !error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn a_store_in_memory_is_a_whole_store() {
    let store = Store::open(&StoreConfig::new("sqlite::memory:")).await.unwrap();
    store.migrate().await.unwrap();
    let written = store.insert_deliveries(&[mail("k")], at(0)).await.unwrap();
    assert!(store.get_delivery(written[0].id).await.unwrap().is_some());
    assert!(store.migration_status().await.unwrap().is_current());
}

#[tokio::test]
async fn the_folder_of_a_sqlite_store_is_made() {
    let folder = janitor::scratch_dir("store").join("deep/er");
    let store = Store::open(&StoreConfig::new(format!("sqlite:{}/store.db", folder.display()))).await.unwrap();
    store.migrate().await.unwrap();
    store.ping().await.unwrap();
    assert!(folder.join("store.db").exists());
}

#[tokio::test]
async fn a_url_of_another_kind_is_refused_by_name() {
    for url in ["mysql://h/db", "", "sqlite:", "sqlite:a.db?mode=ro", "postgres://h:port/x"] {
        let refused = Store::open(&StoreConfig::new(url)).await.err();
        assert!(matches!(refused, Some(StoreError::BadUrl(_))), "{url}: {refused:?}");
    }
}

#[tokio::test]
async fn a_database_that_takes_no_connections_is_away_and_not_at_fault() {
    let database = testkit::Database::create().await;
    let store = Store::open(&StoreConfig::new(database.url())).await.unwrap();
    store.migrate().await.unwrap();
    store.record_effect("before").await.unwrap();
    database.allow_connections(false).await;
    // The first call may still find a connection that has just been cut.
    let errors = [store.ping().await.unwrap_err(), store.record_effect("meanwhile").await.unwrap_err()];
    for error in errors {
        assert!(error.is_transient(), "{error:?}");
    }
    database.allow_connections(true).await;
    store.record_effect("after").await.unwrap();
}
