//! Looking at silences.

use alerting::{Silence, SilenceState};
use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::MOST_SILENCES;
use super::record::{StoredSilence, silence_columns};
use crate::db::{At, Record, Row, Store};
use crate::error::StoreError;
use crate::page::{Cursor, Page};

/// Rows in a page at most.
const LARGEST_PAGE: u32 = 1000;

/// Which silences to list; nothing set lists all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SilenceFilter {
    /// Only in one of these states.
    pub states: Vec<SilenceState>,
}

/// A silence, if its row can be read: one that cannot must not keep everybody from being told of everything.
struct Readable(Option<Silence>);

impl Record for Readable {
    fn read(row: &Row) -> Result<Self, StoreError> {
        match StoredSilence::read(row) {
            Ok(stored) => Ok(Self(Some(stored.silence))),
            Err(StoreError::Corrupt(_)) => Ok(Self(None)),
            Err(error) => Err(error),
        }
    }
}

impl Store {
    /// The silences that mute at `now`. A row that does not read mutes nothing.
    ///
    /// # Errors
    /// As the database says.
    pub async fn active_silences(&self, now: Timestamp) -> Result<Vec<Silence>, StoreError> {
        let rows: Vec<Readable> = self
            .read()
            .await?
            .sql(concat!(
                "SELECT ",
                silence_columns!(),
                " FROM silences WHERE ends_at > $1 AND starts_at <= $1 ORDER BY starts_at, id LIMIT $2"
            ))
            .bind(At(now))
            .bind(i64::from(MOST_SILENCES))
            .all()
            .await?;
        Ok(rows.into_iter().filter_map(|Readable(silence)| silence).collect())
    }

    /// A silence.
    ///
    /// # Errors
    /// As the database says.
    pub async fn get_silence(&self, id: Uuid) -> Result<Option<StoredSilence>, StoreError> {
        self.read()
            .await?
            .sql(concat!("SELECT ", silence_columns!(), " FROM silences WHERE id = $1"))
            .bind(id)
            .optional()
            .await
    }

    /// Silences, newest first, up to `limit` (1…1000) a page; `now` says which state they are in.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`]; otherwise as the database says.
    pub async fn list_silences(
        &self,
        filter: &SilenceFilter,
        limit: u32,
        cursor: Option<&str>,
        now: Timestamp,
    ) -> Result<Page<StoredSilence>, StoreError> {
        let after = cursor.map(Cursor::parse).transpose()?;
        let limit = limit.clamp(1, LARGEST_PAGE);
        let mut asked = vec!["1 = 1"];
        let states: Vec<&str> = filter
            .states
            .iter()
            .map(|state| match state {
                SilenceState::Pending => "(starts_at > $2 AND ends_at > $2)",
                SilenceState::Active => "(starts_at <= $2 AND ends_at > $2)",
                SilenceState::Expired => "ends_at <= $2",
            })
            .collect();
        let states = format!("({})", states.join(" OR "));
        if !filter.states.is_empty() {
            asked.push(&states);
        } else {
            // Both databases want to see each value used.
            asked.push("$2 = $2");
        }
        if after.is_some() {
            asked.push("(created_at, id) < ($3, $4)");
        }
        let text = format!(
            concat!(
                "SELECT ",
                silence_columns!(),
                " FROM silences WHERE {} ORDER BY created_at DESC, id DESC LIMIT $1"
            ),
            asked.join(" AND ")
        );
        let mut session = self.read().await?;
        // One more than is shown tells whether there is another page.
        let mut statement = session.sql(AssertSqlSafe(text)).bind(i64::from(limit) + 1).bind(At(now));
        if let Some(after) = after {
            statement = statement.bind(At(after.created_at)).bind(after.id);
        }
        let mut items: Vec<StoredSilence> = statement.all().await?;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let last = items.last().filter(|_| more);
        let next_cursor = last.map(|last| Cursor { created_at: last.created_at, id: last.silence.id }.text());
        Ok(Page { items, next_cursor })
    }
}
