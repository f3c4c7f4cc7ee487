//! The one row of `search_state`: the turns of counts, and since when everything that counts are made of is there.
//!
//! Whoever takes something out says so here in the same transaction. A count looks here after it has read: what it did not
//! find because it was gone, it then knows to be gone.

use jiff::Timestamp;
use sqlx::AssertSqlSafe;

use crate::db::{At, Record, Row, Session};
use crate::error::StoreError;

struct Turn(i64);

impl Record for Turn {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("turn")?))
    }
}

/// What is no longer all there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Gone {
    /// Events from before this.
    events: Option<Timestamp>,
    /// What was counted of queries by the hour, before this.
    queries: Option<Timestamp>,
}

impl Record for Gone {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let time = |column| Ok::<_, StoreError>(row.get::<Option<At>>(column)?.map(Timestamp::from));
        Ok(Self { events: time("guests_until")?.max(time("events_until")?), queries: time("queries_until")? })
    }
}

impl Gone {
    /// Some of the events of the window that begins at `starts_at` may be gone.
    pub(super) fn has_events_of(&self, starts_at: Timestamp) -> bool {
        self.events.is_some_and(|until| starts_at <= until)
    }

    /// Some of what was counted of queries by the hour, of the day that begins at `starts_at`, may be gone.
    pub(super) fn has_queries_of(&self, starts_at: Timestamp) -> bool {
        self.queries.is_some_and(|until| starts_at < until)
    }
}

/// What is no longer all there.
pub(super) async fn gone(session: &mut Session) -> Result<Gone, StoreError> {
    let gone: Option<Gone> = session
        .sql("SELECT guests_until, events_until, queries_until FROM search_state WHERE one = 1")
        .optional()
        .await?;
    Ok(gone.unwrap_or_default())
}

/// A number that is higher than all before.
pub(super) async fn draw_turn(session: &mut Session) -> Result<i64, StoreError> {
    let turn: Option<Turn> =
        session.sql("UPDATE search_state SET turn = turn + 1 WHERE one = 1 RETURNING turn").optional().await?;
    Ok(turn.ok_or_else(|| StoreError::Corrupt("search_state has no row".to_owned()))?.0)
}

/// Notes that events from before `until` go.
pub(super) async fn events_go(session: &mut Session, until: Timestamp) -> Result<(), StoreError> {
    gone_until(session, "events_until", until).await
}

/// Notes that what was counted of queries by the hour goes, from before `until`.
pub(super) async fn queries_go(session: &mut Session, until: Timestamp) -> Result<(), StoreError> {
    gone_until(session, "queries_until", until).await
}

async fn gone_until(session: &mut Session, column: &'static str, until: Timestamp) -> Result<(), StoreError> {
    let text = format!("UPDATE search_state SET {column} = $1 WHERE one = 1 AND ({column} IS NULL OR {column} < $1)");
    session.sql(AssertSqlSafe(text)).bind(At(until)).run().await?;
    Ok(())
}
