//! Listing suppressions, those that were lifted too.

use sqlx::AssertSqlSafe;
use sqlx::types::Json;
use uuid::Uuid;

use super::lift::whose;
use super::record::{Suppression, suppression_columns};
use crate::db::{At, Store};
use crate::deliveries::recipient_key;
use crate::error::StoreError;
use crate::page::{Cursor, Page};

/// Rows in a page at most.
const LARGEST_PAGE: u32 = 1000;

/// Which suppressions to list: those that meet all conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SuppressionFilter {
    /// Of this address, whatever its case.
    pub address: Option<String>,
    /// What may stand for that address once it was erased: one hash a key that may have made one.
    pub shadows: Vec<String>,
    /// Also those that were lifted.
    pub lifted: bool,
}

impl Store {
    /// A suppression by its id.
    ///
    /// # Errors
    /// As the database says.
    pub async fn get_suppression(&self, id: Uuid) -> Result<Option<Suppression>, StoreError> {
        self.read()
            .await?
            .sql(concat!("SELECT ", suppression_columns!(), " FROM suppressions WHERE id = $1"))
            .bind(id)
            .optional()
            .await
    }

    /// Suppressions, newest first, up to `limit` (1…1000) a page.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`]; otherwise as the database says.
    pub async fn list_suppressions(
        &self,
        filter: &SuppressionFilter,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page<Suppression>, StoreError> {
        let after = cursor.map(Cursor::parse).transpose()?;
        let limit = limit.clamp(1, LARGEST_PAGE);
        let mut text = concat!("SELECT ", suppression_columns!(), " FROM suppressions WHERE 1 = 1").to_owned();
        let mut placeholders = (1..).map(|n| format!("${n}"));
        let mut next = || placeholders.next().unwrap_or_default();
        if filter.address.is_some() {
            text += &format!(" AND {}", whose(self.backend(), &next(), &next()));
        }
        if !filter.lifted {
            text += " AND lifted_at IS NULL";
        }
        if after.is_some() {
            text += &format!(" AND (created_at, id) < ({}, {})", next(), next());
        }
        text += &format!(" ORDER BY created_at DESC, id DESC LIMIT {}", next());

        let mut session = self.read().await?;
        let mut statement = session.sql(AssertSqlSafe(text));
        if let Some(address) = &filter.address {
            statement = statement.bind(recipient_key(address)).bind(Json(&filter.shadows));
        }
        if let Some(after) = after {
            statement = statement.bind(At(after.created_at)).bind(after.id);
        }
        // One more than is shown tells whether there is another page.
        let mut items: Vec<Suppression> = statement.bind(i64::from(limit) + 1).all().await?;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let last = items.last().filter(|_| more);
        let next_cursor = last.map(|last| Cursor { created_at: last.created_at, id: last.id }.text());
        Ok(Page { items, next_cursor })
    }
}
