//! Search events and what is counted of them.

mod again;
mod events;
mod plain;
mod queries;
mod random;
mod retention;
mod subjects;

use jiff::{SignedDuration, Timestamp};
use sqlx::Connection;
use store::{
    Device, EventId, Granularity, Ingested, InteractionKind, MetricsFilter, NewInteraction, NewSearch, SearchBatch,
    SearchMetrics, SearchRules, Store, session_key,
};

use crate::both::{World, fresh_id};

/// `seconds` after midnight, UTC.
pub fn t(seconds: i64) -> Timestamp {
    let midnight: Timestamp = "2027-03-01T00:00:00Z".parse().unwrap();
    midnight + SignedDuration::from_secs(seconds)
}

pub const HOUR: i64 = 3600;
pub const DAY: i64 = 24 * HOUR;

/// A search by the user `u1` in the session `s1`, who consented.
pub fn search(id: &str, at: Timestamp, query: &str) -> NewSearch {
    NewSearch {
        id: EventId::new(id),
        at,
        subject: Some("u1".to_owned()),
        session: Some(session_key("s1")),
        guest: false,
        consent: true,
        query: query.to_owned(),
        kind: "text".to_owned(),
        device: Device::Mobile,
        results: 3,
        filters: None,
        referrer: None,
        network: None,
    }
}

/// The same by somebody of whom nothing is kept.
pub fn stranger(id: &str, at: Timestamp, query: &str) -> NewSearch {
    NewSearch { subject: None, session: None, guest: true, consent: false, ..search(id, at, query) }
}

pub fn interaction(id: &str, search: &str, at: Timestamp, kind: InteractionKind) -> NewInteraction {
    NewInteraction {
        id: EventId::new(id),
        at,
        search: EventId::new(search).key,
        kind,
        item: Some("tutor_1".to_owned()),
        position: None,
        after_ms: None,
    }
}

pub fn click(id: &str, search: &str, at: Timestamp, position: u32) -> NewInteraction {
    NewInteraction { position: Some(position), ..interaction(id, search, at, InteractionKind::Click) }
}

/// Writes a batch that was accepted at `received_at`.
pub async fn ingest(
    store: &Store,
    searches: &[NewSearch],
    interactions: &[NewInteraction],
    received_at: Timestamp,
) -> Ingested {
    let batch = SearchBatch { searches, interactions, received_at, written_at: received_at, token: fresh_id() };
    store.ingest_search_events(&batch, &SearchRules::default()).await.unwrap()
}

/// Counts everything that is not counted yet; answers which windows.
pub async fn roll(store: &Store, now: Timestamp) -> Vec<(Granularity, Timestamp)> {
    let mut rolled = Vec::new();
    for granularity in [Granularity::Hour, Granularity::Day] {
        for window in store.dirty_search_windows(granularity).await.unwrap() {
            let rules = SearchRules::default();
            store.roll_search_window(granularity, window.starts_at, &rules, now).await.unwrap();
            rolled.push((granularity, window.starts_at));
        }
    }
    rolled
}

/// The number that a statement answers, asked beside the store.
pub async fn number(world: &World, statement: &'static str) -> i64 {
    match &world.database {
        Some(_) => {
            let mut connection = sqlx::PgConnection::connect(&world.url).await.unwrap();
            sqlx::query_scalar(statement).fetch_one(&mut connection).await.unwrap()
        }
        None => {
            let mut connection = sqlx::SqliteConnection::connect(&world.url).await.unwrap();
            sqlx::query_scalar(statement).fetch_one(&mut connection).await.unwrap()
        }
    }
}

/// What was counted of all searches in the hour that begins at `start`.
pub async fn hour(world: &World, start: Timestamp) -> SearchMetrics {
    let end = Granularity::Hour.next(start);
    let found = world.store.search_metrics(start, end, Granularity::Hour, &MetricsFilter::default()).await.unwrap();
    found.into_iter().next().unwrap()
}
