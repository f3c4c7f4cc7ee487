//! Writing silences, changing them and ending them early.

use alerting::{Silence, SilenceState, print_list};
use jiff::Timestamp;
use uuid::Uuid;

use super::MOST_SILENCES;
use super::record::{StoredSilence, silence_columns};
use crate::db::{At, Record, Row, Session, Store};
use crate::error::StoreError;

/// What became of a silence that was to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It is kept so.
    Done(StoredSilence),
    /// There are [`MOST_SILENCES`] already that are not over.
    TooMany,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SilenceChange {
    /// It is kept so, under the same id.
    Changed(StoredSilence),
    /// It mutes something else, begins at another time, or was over: what there was is over now, and this follows it.
    Replaced(StoredSilence),
    /// There is none of that id.
    NotFound,
    /// There are [`MOST_SILENCES`] already that are not over.
    TooMany,
}

impl Store {
    /// Writes a silence that was checked ([`Silence::validate`]). `actor` is who does it.
    ///
    /// # Errors
    /// As the database says.
    pub async fn insert_silence(&self, silence: &Silence, actor: &str, now: Timestamp) -> Result<Put, StoreError> {
        let mut session = self.begin().await?;
        if full(&mut session, now).await? {
            return Ok(Put::TooMany);
        }
        let row = insert(&mut session, silence, actor, now).await?;
        session.commit().await?;
        Ok(Put::Done(row))
    }

    /// Changes the silence `id` to be `silence`, whose own id is used if another one has to follow it: author, comment and
    /// end of one that is not over may change, and the beginning while it has not begun. Anything else ends it and begins a
    /// new one.
    ///
    /// # Errors
    /// As the database says.
    pub async fn change_silence(
        &self,
        id: Uuid,
        silence: &Silence,
        actor: &str,
        now: Timestamp,
    ) -> Result<SilenceChange, StoreError> {
        let mut session = self.begin().await?;
        let Some(there) = under_lock(&mut session, id).await? else { return Ok(SilenceChange::NotFound) };
        let state = there.silence.state(now);
        let same = there.silence.matchers == silence.matchers;
        let begins = match state {
            SilenceState::Pending => silence.starts_at >= now,
            // Times are kept to the millisecond.
            SilenceState::Active => there.silence.starts_at.as_millisecond() == silence.starts_at.as_millisecond(),
            SilenceState::Expired => false,
        };
        let changed = if same && begins {
            let row = update(&mut session, &Silence { id, ..silence.clone() }, actor, now).await?;
            SilenceChange::Changed(row)
        } else {
            if state != SilenceState::Expired {
                end(&mut session, id, actor, now).await?;
            }
            if full(&mut session, now).await? {
                return Ok(SilenceChange::TooMany);
            }
            // What has begun cannot have begun earlier for others than it did here.
            let silence = Silence { starts_at: silence.starts_at.max(now), ..silence.clone() };
            SilenceChange::Replaced(insert(&mut session, &silence, actor, now).await?)
        };
        session.commit().await?;
        Ok(changed)
    }

    /// Ends a silence now; one that is over stays as it is. `None`: there is none of that id.
    ///
    /// # Errors
    /// As the database says.
    pub async fn end_silence(
        &self,
        id: Uuid,
        actor: &str,
        now: Timestamp,
    ) -> Result<Option<StoredSilence>, StoreError> {
        let mut session = self.begin().await?;
        let Some(there) = under_lock(&mut session, id).await? else { return Ok(None) };
        if there.silence.state(now) == SilenceState::Expired {
            return Ok(Some(there));
        }
        let ended = end(&mut session, id, actor, now).await?;
        session.commit().await?;
        Ok(ended)
    }
}

/// The row, which nobody else changes until the end of the transaction: writing to it locks it in either database.
async fn under_lock(session: &mut Session, id: Uuid) -> Result<Option<StoredSilence>, StoreError> {
    session
        .sql(concat!("UPDATE silences SET updated_at = updated_at WHERE id = $1 RETURNING ", silence_columns!()))
        .bind(id)
        .optional()
        .await
}

async fn insert(
    session: &mut Session,
    silence: &Silence,
    actor: &str,
    now: Timestamp,
) -> Result<StoredSilence, StoreError> {
    let written = session
        .sql(concat!(
            "INSERT INTO silences (id, matchers, created_by, comment, starts_at, ends_at, actor, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
             RETURNING ",
            silence_columns!()
        ))
        .bind(silence.id)
        .bind(print_list(&silence.matchers))
        .bind(silence.created_by.as_str())
        .bind(silence.comment.as_str())
        .bind(At(silence.starts_at))
        .bind(At(silence.ends_at))
        .bind(actor)
        .bind(At(now))
        .optional()
        .await?;
    written.ok_or_else(|| StoreError::Corrupt("a silence was written and is not there".to_owned()))
}

async fn update(
    session: &mut Session,
    silence: &Silence,
    actor: &str,
    now: Timestamp,
) -> Result<StoredSilence, StoreError> {
    let written = session
        .sql(concat!(
            "UPDATE silences
             SET created_by = $2, comment = $3, starts_at = $4, ends_at = $5, actor = $6, updated_at = $7
             WHERE id = $1
             RETURNING ",
            silence_columns!()
        ))
        .bind(silence.id)
        .bind(silence.created_by.as_str())
        .bind(silence.comment.as_str())
        .bind(At(silence.starts_at))
        .bind(At(silence.ends_at))
        .bind(actor)
        .bind(At(now))
        .optional()
        .await?;
    written.ok_or_else(|| StoreError::Corrupt("a silence is locked and is not there".to_owned()))
}

/// One that has not begun then never does.
async fn end(
    session: &mut Session,
    id: Uuid,
    actor: &str,
    now: Timestamp,
) -> Result<Option<StoredSilence>, StoreError> {
    session
        .sql(concat!(
            "UPDATE silences
             SET ends_at = $2, starts_at = CASE WHEN starts_at > $2 THEN $2 ELSE starts_at END, actor = $3,
                 updated_at = $2
             WHERE id = $1
             RETURNING ",
            silence_columns!()
        ))
        .bind(id)
        .bind(At(now))
        .bind(actor)
        .optional()
        .await
}

struct Count(i64);

impl Record for Count {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("there")?))
    }
}

async fn full(session: &mut Session, now: Timestamp) -> Result<bool, StoreError> {
    let count: Option<Count> =
        session.sql("SELECT COUNT(*) AS there FROM silences WHERE ends_at > $1").bind(At(now)).optional().await?;
    Ok(count.is_some_and(|Count(there)| there >= i64::from(MOST_SILENCES)))
}
