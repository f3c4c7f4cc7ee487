//! What the checks of a domain found, and when that changed.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::types::Json;
use uuid::Uuid;

use super::record::DomainState;
use crate::db::{At, Record, Row, Session, Store};
use crate::error::StoreError;
use crate::page::{Cursor, Page};

/// How long history is kept.
const KEPT: Duration = Duration::from_hours(90 * 24);
/// Rows in a page at most.
const LARGEST_PAGE: u32 = 1000;

/// A check that found something new.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDomainCheck {
    /// The row's id.
    pub id: Uuid,
    /// Why it was looked at: `start`, `due`, `first_send`, `reply`, `request`, `schedule`.
    pub cause: String,
    /// `pass`, `unclear` or `fail`.
    pub verdict: String,
    /// Where the domain stood afterwards.
    pub state: DomainState,
    /// The findings.
    pub report: serde_json::Value,
}

/// A line of history.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainCheck {
    /// The row's id.
    pub id: Uuid,
    /// When.
    pub checked_at: Timestamp,
    /// Why it was looked at.
    pub cause: String,
    /// `pass`, `unclear` or `fail`.
    pub verdict: String,
    /// Where the domain stood afterwards.
    pub state: DomainState,
    /// The findings.
    pub report: serde_json::Value,
}

impl Record for DomainCheck {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            checked_at: row.get::<At>("checked_at")?.into(),
            cause: row.get("cause")?,
            verdict: row.get("verdict")?,
            state: row.get("state")?,
            report: row.get::<Json<serde_json::Value>>("report")?.0,
        })
    }
}

/// Adds a line, and removes those that are too old.
pub(super) async fn add(
    session: &mut Session,
    domain: &str,
    new: &NewDomainCheck,
    now: Timestamp,
) -> Result<(), StoreError> {
    session
        .sql(
            "INSERT INTO domain_checks (id, domain, checked_at, cause, verdict, state, report)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(new.id)
        .bind(domain)
        .bind(At(now))
        .bind(new.cause.as_str())
        .bind(new.verdict.as_str())
        .bind(new.state)
        .bind(Json(&new.report))
        .run()
        .await?;
    session
        .sql("DELETE FROM domain_checks WHERE domain = $1 AND checked_at < $2")
        .bind(domain)
        .bind(At(now.checked_sub(KEPT).unwrap_or(Timestamp::MIN)))
        .run()
        .await?;
    Ok(())
}

impl Store {
    /// What the checks of a domain found, newest first, up to `limit` (1…1000) a page.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`]; otherwise as the database says.
    pub async fn domain_checks(
        &self,
        name: &str,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page<DomainCheck>, StoreError> {
        let after = cursor.map(Cursor::parse).transpose()?;
        let limit = limit.clamp(1, LARGEST_PAGE);
        let text = format!(
            "SELECT id, checked_at, cause, verdict, state, report FROM domain_checks
             WHERE domain = $1 {} ORDER BY checked_at DESC, id DESC LIMIT $2",
            if after.is_some() { "AND (checked_at, id) < ($3, $4)" } else { "" }
        );
        let mut session = self.read().await?;
        let mut statement = session.sql(AssertSqlSafe(text)).bind(name).bind(i64::from(limit) + 1);
        if let Some(after) = after {
            statement = statement.bind(At(after.created_at)).bind(after.id);
        }
        let mut items: Vec<DomainCheck> = statement.all().await?;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let last = items.last().filter(|_| more);
        let next_cursor = last.map(|last| Cursor { created_at: last.checked_at, id: last.id }.text());
        Ok(Page { items, next_cursor })
    }
}
