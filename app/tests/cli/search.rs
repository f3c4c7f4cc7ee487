//! `postrider search rollup`: what it counts, what it refuses, and what it leaves as it is.

use jiff::{SignedDuration, Timestamp};
use job::{Clock, SystemClock};
use store::{Device, EventId, Granularity, NewSearch, SearchBatch, SearchRules, Store, StoreConfig};

use crate::harness::Place;

/// A store with two searches of an hour ago, and one of a year ago.
async fn searched() -> (Place, Timestamp) {
    let place = Place::sqlite();
    place.ok(&["migrate"]).await;
    place.ok(&["enqueue", "debug.noop", "{}"]).await;
    let now = SystemClock.now();
    let search = |id: &str, hours: i64| NewSearch {
        id: EventId::new(id),
        at: now - SignedDuration::from_hours(hours),
        subject: None,
        session: None,
        guest: true,
        consent: false,
        query: "piano".to_owned(),
        kind: "text".to_owned(),
        device: Device::Other,
        results: 1,
        filters: None,
        referrer: None,
        network: None,
    };
    let searches = [search("a", 1), search("b", 1), search("old", 24 * 365)];
    let token = EventId::new("batch").key;
    let batch = SearchBatch { searches: &searches, interactions: &[], received_at: now, written_at: now, token };
    let store = Store::open(&StoreConfig::new(place.file_url("store.db"))).await.unwrap();
    store.ingest_search_events(&batch, &SearchRules::default()).await.unwrap();
    store.close().await;
    (place, now)
}

#[tokio::test]
async fn what_is_due_is_counted_once_and_what_is_asked_for_again() {
    let (place, now) = searched().await;
    let said = place.ok(&["search", "rollup"]).await;
    assert!(said.contains("2 days were counted, 3 searches in these hours"), "{said}");
    let again = place.json(&["search", "rollup"]).await;
    assert_eq!((&again["hours"], &again["days"], &again["finished"]), (&0.into(), &0.into(), &true.into()));
    let hour = Granularity::Hour.floor(now - SignedDuration::from_hours(1));
    let (from, to) = (hour.to_string(), Granularity::Hour.next(hour).to_string());
    let asked = place.json(&["search", "rollup", "--from", &from, "--to", &to]).await;
    assert_eq!((&asked["hours"], &asked["days"], &asked["searches"]), (&1.into(), &1.into(), &2.into()), "{asked}");
}

#[tokio::test]
async fn what_cannot_be_counted_is_refused_by_name() {
    let (place, now) = searched().await;
    let rollup = async |args: &[&str]| place.run(&[&["search", "rollup"], args].concat()).await;
    let (later, soon) = (now.to_string(), (now - SignedDuration::from_hours(5)).to_string());
    rollup(&["--from", &soon]).await.refused(2, &["--to"]);
    rollup(&["--to", &soon]).await.refused(2, &["--from"]);
    rollup(&["--from", "yesterday", "--to", &later]).await.refused(2, &["--from"]);
    rollup(&["--from", &later, "--to", &soon]).await.refused(2, &["--to: must be after from"]);
    rollup(&["--from=-005000-01-01T00:00:00Z", "--to", &soon]).await.refused(2, &["--from: a time in the years 1970"]);
    let old = (now - SignedDuration::from_hours(24 * 200)).to_string();
    rollup(&["--from", &old, "--to", &later]).await.refused(1, &["from: events of more than 90d ago"]);
    Place::sqlite().run(&["search", "rollup"]).await.refused(1, &["store.url: there is no file"]);
}
