//! Taking out events that have grown old, a piece at a time. Counts stay: they name nobody.
//!
//! On Postgres a month of which everything is old is dropped as a whole first (`partitions`); what is left of the month at
//! the border goes row by row, as everything does on SQLite.

use jiff::Timestamp;

use super::state;
use super::window::from_ms;
use crate::db::{At, Record, Row, Store};
use crate::error::StoreError;

struct Until(Option<Timestamp>);

impl Record for Until {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get::<Option<At>>("until")?.map(Timestamp::from)))
    }
}

struct Piece {
    last: Option<Timestamp>,
    count: u32,
}

impl Record for Piece {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { last: row.get::<Option<At>>("last")?.map(Timestamp::from), count: row.number("count")? })
    }
}

impl Store {
    /// Takes out searches and interactions from before `before`, at most `limit` of each; answers of which more: how many.
    pub(crate) async fn take_out_search_events(&self, before: Timestamp, limit: u32) -> Result<u32, StoreError> {
        let mut session = self.begin().await?;
        state::events_go(&mut session, before).await?;
        let mut taken = 0;
        for text in [
            "DELETE FROM search_interactions WHERE (id, occurred_at) IN (
                 SELECT id, occurred_at FROM search_interactions
                 WHERE occurred_at < $1 AND (search_at IS NULL OR search_at < $1) ORDER BY occurred_at LIMIT $2)",
            "DELETE FROM searches WHERE (id, occurred_at) IN (
                 SELECT id, occurred_at FROM searches WHERE occurred_at < $1 ORDER BY occurred_at LIMIT $2)",
        ] {
            let rows = session.sql(text).bind(At(before)).bind(i64::from(limit)).run().await?;
            taken = taken.max(rows);
        }
        session.commit().await?;
        Ok(u32::try_from(taken).unwrap_or(limit))
    }

    /// Takes out what was counted of queries by the hour, from before `before`, at most `limit` rows; answers how many.
    pub(crate) async fn take_out_hourly_queries(&self, before: Timestamp, limit: u32) -> Result<u32, StoreError> {
        let mut session = self.begin().await?;
        state::queries_go(&mut session, before).await?;
        let taken = session
            .sql(
                "DELETE FROM search_queries
                 WHERE (granularity, starts_at, query) IN (
                     SELECT granularity, starts_at, query FROM search_queries
                     WHERE granularity = 'hour' AND starts_at < $1 ORDER BY starts_at, query LIMIT $2)",
            )
            .bind(At(before))
            .bind(i64::from(limit))
            .run()
            .await?;
        session.commit().await?;
        Ok(u32::try_from(taken).unwrap_or(limit))
    }

    /// Takes out the next guests' searches from before `before`, with what was done with them: those of a stretch of time
    /// that holds at most about `limit` of them. Answers how many; less than `limit`: there are no more.
    ///
    /// # Errors
    /// As the database says; then nothing has changed.
    pub async fn take_out_guest_searches(&self, before: Timestamp, limit: u32) -> Result<u32, StoreError> {
        let mut session = self.begin().await?;
        let until: Option<Until> =
            session.sql("SELECT guests_until AS until FROM search_state WHERE one = 1").optional().await?;
        // What is before was taken out: it need not be passed over again each night.
        let from = until.and_then(|Until(at)| at).unwrap_or_else(|| from_ms(0));
        let piece: Option<Piece> = session
            .sql(
                "SELECT MAX(occurred_at) AS last, COUNT(*) AS count FROM (
                     SELECT occurred_at FROM searches
                     WHERE guest AND occurred_at >= $1 AND occurred_at < $2 ORDER BY occurred_at LIMIT $3) AS next",
            )
            .bind(At(from))
            .bind(At(before))
            .bind(i64::from(limit))
            .optional()
            .await?;
        let piece = piece.unwrap_or(Piece { last: None, count: 0 });
        if let Some(last) = piece.last {
            for text in [
                "DELETE FROM search_interactions WHERE search_at >= $1 AND search_at <= $2 AND search_id IN (
                     SELECT id FROM searches WHERE guest AND occurred_at >= $1 AND occurred_at <= $2)",
                "DELETE FROM searches WHERE guest AND occurred_at >= $1 AND occurred_at <= $2",
            ] {
                session.sql(text).bind(At(from)).bind(At(last)).run().await?;
            }
        }
        let until = if piece.count < limit { Some(before) } else { piece.last };
        session
            .sql("UPDATE search_state SET guests_until = $1 WHERE one = 1 AND (guests_until IS NULL OR guests_until < $1)")
            .bind(until.map(At))
            .run()
            .await?;
        session.commit().await?;
        Ok(piece.count)
    }
}
