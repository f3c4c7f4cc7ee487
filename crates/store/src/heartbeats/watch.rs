//! What the watch asks: which are late, what the incidents have not heard yet, and who tells them.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::record::{Heartbeat, heartbeat_columns};
use crate::db::{At, Record, Row, Store};
use crate::error::StoreError;

/// What became of the word that incidents were told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeartbeatTold {
    /// It is written down.
    Noted,
    /// It came so late that somebody else may have told a newer state before: the present one is told once more.
    OutOfTurn,
}

struct Name(String);

impl Record for Name {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("name")?))
    }
}

impl Store {
    /// The names of heartbeats that are late and do not know it, the longest overdue first, at most `limit`.
    ///
    /// # Errors
    /// As the database says.
    pub async fn overdue_heartbeats(&self, now: Timestamp, limit: u32) -> Result<Vec<String>, StoreError> {
        let names: Vec<Name> = self
            .read()
            .await?
            .sql("SELECT name FROM heartbeats WHERE state = 'ok' AND due_at <= $1 ORDER BY due_at LIMIT $2")
            .bind(At(now))
            .bind(i64::from(limit))
            .all()
            .await?;
        Ok(names.into_iter().map(|name| name.0).collect())
    }

    /// The names of the configuration's heartbeats.
    ///
    /// # Errors
    /// As the database says.
    pub async fn configured_heartbeats(&self) -> Result<Vec<String>, StoreError> {
        let names: Vec<Name> = self
            .read()
            .await?
            .sql("SELECT name FROM heartbeats WHERE origin = 'config' AND state <> 'removed' ORDER BY name")
            .all()
            .await?;
        Ok(names.into_iter().map(|name| name.0).collect())
    }

    /// Claims up to `limit` heartbeats whose state the incidents have not heard of: until `now` and `patience` nobody
    /// else gets them.
    ///
    /// # Errors
    /// As the database says.
    pub async fn claim_heartbeats(
        &self,
        claim: Uuid,
        now: Timestamp,
        patience: Duration,
        limit: u32,
    ) -> Result<Vec<Heartbeat>, StoreError> {
        let until = now.checked_add(patience).unwrap_or(Timestamp::MAX);
        // Stated once more outside: of two workers that choose the same row the second one waits, and looks again.
        self.write_one()
            .await?
            .sql(concat!(
                "UPDATE heartbeats SET claim = $1, claimed_until = $2
                 WHERE told_turn <> turn AND (claimed_until IS NULL OR claimed_until <= $3)
                   AND name IN (SELECT name FROM heartbeats
                                WHERE told_turn <> turn AND (claimed_until IS NULL OR claimed_until <= $3)
                                ORDER BY since LIMIT $4)
                 RETURNING ",
                heartbeat_columns!()
            ))
            .bind(claim)
            .bind(At(until))
            .bind(At(now))
            .bind(i64::from(limit))
            .all()
            .await
    }

    /// Notes that the incidents have heard of `heartbeat` as it was when it was claimed. One that was removed goes.
    ///
    /// # Errors
    /// As the database says.
    pub async fn heartbeat_told(&self, claim: Uuid, heartbeat: &Heartbeat) -> Result<HeartbeatTold, StoreError> {
        let mut transaction = self.begin().await?;
        let noted = transaction
            .sql("UPDATE heartbeats SET told_turn = $3, claim = NULL, claimed_until = NULL WHERE name = $1 AND claim = $2")
            .bind(heartbeat.name.as_str())
            .bind(claim)
            .bind(heartbeat.turn)
            .run()
            .await?;
        if noted == 0 {
            transaction
                .sql("UPDATE heartbeats SET turn = turn + 1 WHERE name = $1")
                .bind(heartbeat.name.as_str())
                .run()
                .await?;
        }
        transaction
            .sql("DELETE FROM heartbeats WHERE name = $1 AND state = 'removed' AND told_turn = turn")
            .bind(heartbeat.name.as_str())
            .run()
            .await?;
        transaction.commit().await?;
        Ok(if noted == 0 { HeartbeatTold::OutOfTurn } else { HeartbeatTold::Noted })
    }

    /// Gives a claim back: the incidents could not be told.
    ///
    /// # Errors
    /// As the database says.
    pub async fn release_heartbeats(&self, claim: Uuid) -> Result<(), StoreError> {
        self.write_one()
            .await?
            .sql("UPDATE heartbeats SET claim = NULL, claimed_until = NULL WHERE claim = $1")
            .bind(claim)
            .run()
            .await?;
        Ok(())
    }
}
