//! What a schedule has fired, newest first.

use jiff::Timestamp;

use super::policy::TickState;
use super::tick::Tick;
use crate::db::{At, Store};
use crate::error::StoreError;
use crate::page::Page;

/// Names the columns of [`Tick`].
const COLUMNS: &str = "schedule, planned_at, state, kind, queue, args, max_attempts, timeout_ms, run_at, job_id, cause, \
                       note, epoch, created_at, ended_at";

impl Store {
    /// The ticks of a schedule, those planned last first, up to `limit` a page; in one state only, if asked for. A
    /// schedule that is gone still has them, until retention takes them.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`]; otherwise as the database says.
    pub async fn list_ticks(
        &self,
        schedule: &str,
        state: Option<TickState>,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page<Tick>, StoreError> {
        let before = match cursor {
            Some(text) => {
                let ms = text.parse().map_err(|_| StoreError::BadCursor)?;
                Timestamp::from_millisecond(ms).map_err(|_| StoreError::BadCursor)?
            }
            None => END_OF_TIME,
        };
        let state = state.map_or(String::new(), |state| format!(" AND state = '{state}'"));
        let text = format!(
            "SELECT {COLUMNS} FROM schedule_ticks
             WHERE schedule = $1 AND planned_at < $2{state} ORDER BY planned_at DESC LIMIT $3"
        );
        let mut items: Vec<Tick> = self
            .read()
            .await?
            .sql(sqlx::AssertSqlSafe(text))
            .bind(schedule)
            .bind(At(before))
            .bind(i64::from(limit) + 1)
            .all()
            .await?;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let last = items.last().filter(|_| more);
        let next_cursor = last.map(|last| last.tick.planned_at.as_millisecond().to_string());
        Ok(Page { items, next_cursor })
    }
}

/// 9999-12-30: no tick is planned later.
const END_OF_TIME: Timestamp = Timestamp::constant(253_402_128_000, 0);
