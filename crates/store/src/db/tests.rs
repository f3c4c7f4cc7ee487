//! What only a transaction in the hand can show.

use testkit::{Database, janitor};

use super::{Session, Store, StoreConfig};

async fn sqlite() -> Store {
    let path = janitor::scratch_dir("sessions").join("store.db");
    let store = Store::open(&StoreConfig::new(format!("sqlite:{}", path.display()))).await.unwrap();
    store.migrate().await.unwrap();
    store
}

async fn write(session: &mut Session, key: &str) {
    session.sql("INSERT INTO effects (key, runs, effects) VALUES ($1, 1, 1)").bind(key).run().await.unwrap();
}

async fn abandoned_transactions_leave_nothing(store: &Store) {
    let mut abandoned = store.begin().await.unwrap();
    write(&mut abandoned, "abandoned").await;
    drop(abandoned);
    let mut kept = store.begin().await.unwrap();
    write(&mut kept, "kept").await;
    assert_eq!(store.get_effect("kept").await.unwrap(), None, "not before the commit");
    kept.commit().await.unwrap();
    assert!(store.get_effect("kept").await.unwrap().is_some());
    assert_eq!(store.get_effect("abandoned").await.unwrap(), None);
}

#[tokio::test]
async fn a_transaction_that_is_dropped_leaves_nothing_on_sqlite() {
    abandoned_transactions_leave_nothing(&sqlite().await).await;
}

#[tokio::test]
async fn a_transaction_that_is_dropped_leaves_nothing_on_postgres() {
    let database = Database::create().await;
    let store = Store::open(&StoreConfig::new(database.url())).await.unwrap();
    store.migrate().await.unwrap();
    abandoned_transactions_leave_nothing(&store).await;
}

/// A caller may forget to poll its own transaction while it waits for another write: that must not stop the store.
#[tokio::test]
async fn a_transaction_that_stands_still_is_given_up_and_the_others_go_on() {
    let store = sqlite().await;
    let mut still = store.begin().await.unwrap();
    write(&mut still, "still").await;
    store.record_effect("other").await.unwrap();
    let late = still.commit().await.unwrap_err();
    assert!(late.is_transient(), "{late:?}");
    assert_eq!(store.get_effect("still").await.unwrap(), None);
}

#[tokio::test]
async fn writes_that_wait_together_are_committed_together() {
    let store = sqlite().await;
    let before = commits(&store).await;
    let writes = (0..200).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { store.record_effect(&format!("k{n}")).await.unwrap() })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap();
    }
    let needed = commits(&store).await - before;
    assert!((1..100).contains(&needed), "200 writes took {needed} commits");
}

/// Commits since the file was made, as its readers see them (the data version rises with each commit of another
/// connection).
async fn commits(store: &Store) -> i64 {
    struct Version(i64);
    impl super::Record for Version {
        fn read(row: &super::Row) -> Result<Self, crate::StoreError> {
            Ok(Self(row.get("data_version")?))
        }
    }
    let mut session = store.read().await.unwrap();
    session.sql("PRAGMA data_version").optional::<Version>().await.unwrap().unwrap().0
}
