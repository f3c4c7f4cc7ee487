//! What `debug.effect` leaves behind, to show that a job which runs twice acts once.

use crate::db::{Record, Row, Store};
use crate::error::StoreError;

/// How often a job ran and how often it acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// Runs, from 1.
    pub runs: i64,
    /// Effects: 1 after the first run, whatever follows.
    pub effects: i64,
}

impl Record for Effect {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { runs: row.get("runs")?, effects: row.get("effects")? })
    }
}

impl Store {
    /// Counts a run under `key`; the first one also has the effect.
    ///
    /// # Errors
    /// As the database says.
    pub async fn record_effect(&self, key: &str) -> Result<Effect, StoreError> {
        let counted = self
            .write_one()
            .await?
            .sql(
                "INSERT INTO effects (key, runs, effects) VALUES ($1, 1, 1)
                 ON CONFLICT (key) DO UPDATE SET runs = effects.runs + 1
                 RETURNING runs, effects",
            )
            .bind(key)
            .optional()
            .await?;
        counted.ok_or_else(|| StoreError::Corrupt(format!("effect {key}: an upsert answered with no row")))
    }

    /// What was counted under `key`.
    ///
    /// # Errors
    /// As the database says.
    pub async fn get_effect(&self, key: &str) -> Result<Option<Effect>, StoreError> {
        self.read().await?.sql("SELECT runs, effects FROM effects WHERE key = $1").bind(key).optional().await
    }
}
