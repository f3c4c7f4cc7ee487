//! Changing a heartbeat under lock, and looking at them.

use std::time::Duration;

use super::record::{Heartbeat, HeartbeatState, heartbeat_columns};
use crate::db::{At, Backend, Record, Row, Session, Store};
use crate::error::StoreError;
use crate::page::Page;

/// The most heartbeats that there may be: names that come from a loop gone wrong end somewhere.
pub const MOST_HEARTBEATS: i64 = 10_000;
/// How often a change is done over that two callers made of nothing at the same time.
const TRIES: u32 = 5;

/// What becomes of a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeartbeatChange {
    /// It is written as this.
    Write(Heartbeat),
    /// Its row goes.
    Delete,
    /// It stays as it is, or is not made.
    Leave,
}

struct Count(i64);

impl Record for Count {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("count")?))
    }
}

impl Store {
    /// Changes the heartbeat `name` in one transaction: `decide` sees it as it is, says what is to be written, and answers
    /// for the caller. It may be asked again. `None`: a new one would be one too many.
    ///
    /// # Errors
    /// As the database says.
    pub async fn change_heartbeat<A>(
        &self,
        name: &str,
        mut decide: impl FnMut(Option<Heartbeat>) -> (HeartbeatChange, A) + Send,
    ) -> Result<Option<A>, StoreError> {
        for _ in 0..TRIES {
            let mut transaction = self.begin().await?;
            let found = locked(&mut transaction, self.backend(), name).await?;
            let is_new = found.is_none();
            let (change, answer) = decide(found);
            match change {
                HeartbeatChange::Leave => return Ok(Some(answer)),
                HeartbeatChange::Delete => {
                    transaction.sql("DELETE FROM heartbeats WHERE name = $1").bind(name).run().await?;
                }
                HeartbeatChange::Write(heartbeat) if is_new => {
                    let there: Option<Count> =
                        transaction.sql("SELECT COUNT(*) AS count FROM heartbeats").optional().await?;
                    if there.is_some_and(|there| there.0 >= MOST_HEARTBEATS) {
                        return Ok(None);
                    }
                    if !insert(&mut transaction, &heartbeat).await? {
                        // Somebody else made it in the same moment: now it is there to be locked.
                        continue;
                    }
                }
                HeartbeatChange::Write(heartbeat) => update(&mut transaction, &heartbeat).await?,
            }
            transaction.commit().await?;
            return Ok(Some(answer));
        }
        Err(StoreError::Corrupt(format!("heartbeat {name} is neither free nor taken")))
    }

    /// The heartbeat of that name.
    ///
    /// # Errors
    /// As the database says.
    pub async fn get_heartbeat(&self, name: &str) -> Result<Option<Heartbeat>, StoreError> {
        self.read()
            .await?
            .sql(concat!("SELECT ", heartbeat_columns!(), " FROM heartbeats WHERE name = $1 AND state <> 'removed'"))
            .bind(name)
            .optional()
            .await
    }

    /// Heartbeats by name, up to `limit` a page; the cursor is the last name of the page before.
    ///
    /// # Errors
    /// As the database says.
    pub async fn list_heartbeats(
        &self,
        state: Option<HeartbeatState>,
        limit: u32,
        after: Option<&str>,
    ) -> Result<Page<Heartbeat>, StoreError> {
        let mut items: Vec<Heartbeat> = self
            .read()
            .await?
            .sql(concat!(
                "SELECT ",
                heartbeat_columns!(),
                " FROM heartbeats
                 WHERE name > $1 AND state <> 'removed' AND ($3 IS NULL OR state = $3) ORDER BY name LIMIT $2"
            ))
            .bind(after.unwrap_or(""))
            .bind(i64::from(limit) + 1)
            .bind(state.map(HeartbeatState::as_str))
            .all()
            .await?;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next_cursor = items.last().filter(|_| more).map(|last| last.name.clone());
        Ok(Page { items, next_cursor })
    }
}

/// The row, which nobody else changes until the transaction ends. In SQLite there is one writer at a time anyway.
async fn locked(session: &mut Session, backend: Backend, name: &str) -> Result<Option<Heartbeat>, StoreError> {
    let statement = match backend {
        Backend::Postgres => {
            concat!("SELECT ", heartbeat_columns!(), " FROM heartbeats WHERE name = $1 FOR UPDATE")
        }
        Backend::Sqlite => concat!("SELECT ", heartbeat_columns!(), " FROM heartbeats WHERE name = $1"),
    };
    session.sql(statement).bind(name).optional().await
}

async fn insert(session: &mut Session, heartbeat: &Heartbeat) -> Result<bool, StoreError> {
    let written = session
        .sql(
            "INSERT INTO heartbeats (name, origin, period_ms, grace_ms, severity, state, since, beats, last_beat_at,
                 due_at, turn, told_turn, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
             ON CONFLICT (name) DO NOTHING",
        )
        .bind(heartbeat.name.as_str())
        .bind(heartbeat.origin)
        .bind(ms(heartbeat.period))
        .bind(ms(heartbeat.grace))
        .bind(heartbeat.severity.as_str())
        .bind(heartbeat.state)
        .bind(At(heartbeat.since))
        .bind(heartbeat.beats)
        .bind(heartbeat.last_beat_at.map(At))
        .bind(At(heartbeat.due_at))
        .bind(heartbeat.turn)
        .bind(heartbeat.told_turn)
        .bind(At(heartbeat.created_at))
        .bind(At(heartbeat.updated_at))
        .run()
        .await?;
    Ok(written > 0)
}

/// What was told, and by whom, is not the caller's to change.
async fn update(session: &mut Session, heartbeat: &Heartbeat) -> Result<(), StoreError> {
    session
        .sql(
            "UPDATE heartbeats
             SET origin = $2, period_ms = $3, grace_ms = $4, severity = $5, state = $6, since = $7, beats = $8,
                 last_beat_at = $9, due_at = $10, turn = $11, updated_at = $12
             WHERE name = $1",
        )
        .bind(heartbeat.name.as_str())
        .bind(heartbeat.origin)
        .bind(ms(heartbeat.period))
        .bind(ms(heartbeat.grace))
        .bind(heartbeat.severity.as_str())
        .bind(heartbeat.state)
        .bind(At(heartbeat.since))
        .bind(heartbeat.beats)
        .bind(heartbeat.last_beat_at.map(At))
        .bind(At(heartbeat.due_at))
        .bind(heartbeat.turn)
        .bind(At(heartbeat.updated_at))
        .run()
        .await?;
    Ok(())
}

fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
