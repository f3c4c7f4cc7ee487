//! A silence as it is kept.

use alerting::{Silence, parse_list};
use jiff::Timestamp;

use crate::db::{At, Record, Row};
use crate::error::StoreError;

/// A silence, and what is known of its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSilence {
    /// The silence.
    pub silence: Silence,
    /// Who changed it last: an API key's name, or the command line.
    pub actor: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// Names the columns of [`StoredSilence`].
macro_rules! silence_columns {
    () => {
        "id, matchers, created_by, comment, starts_at, ends_at, actor, created_at, updated_at"
    };
}
pub(super) use silence_columns;

impl Record for StoredSilence {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let matchers: String = row.get("matchers")?;
        let matchers =
            parse_list(&matchers).map_err(|error| StoreError::Corrupt(format!("matchers of a silence: {error}")))?;
        Ok(Self {
            silence: Silence {
                id: row.get("id")?,
                matchers,
                created_by: row.get("created_by")?,
                comment: row.get("comment")?,
                starts_at: row.get::<At>("starts_at")?.0,
                ends_at: row.get::<At>("ends_at")?.0,
            },
            actor: row.get("actor")?,
            created_at: row.get::<At>("created_at")?.0,
            updated_at: row.get::<At>("updated_at")?.0,
        })
    }
}
