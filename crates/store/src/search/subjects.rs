//! One subject (a user, or a guest's session): what is kept of their searches, and taking it out.
//!
//! Erasing leaves a mark for a while, so that events of theirs which still wait in a queue are not written after it. What
//! was counted stays: it is counted without what may name somebody (`mask`).

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::event::{Device, InteractionKind, SubjectOf};
use crate::db::{At, Record, Row, Store};
use crate::error::StoreError;

/// Searches that one transaction takes out.
const CHUNK: i64 = 500;

/// How much was erased.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ErasedSearches {
    /// Searches.
    pub searches: u64,
    /// What was done with what they found.
    pub interactions: u64,
}

/// What was done with what a search found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeptInteraction {
    /// The caller's id.
    pub id: String,
    /// When.
    pub occurred_at: Timestamp,
    /// What.
    pub kind: InteractionKind,
    /// With what.
    pub item: Option<String>,
    /// Its place in the list, from 1.
    pub position: Option<u32>,
    /// How long after the search, in milliseconds, as the caller measured it.
    pub after_ms: Option<u64>,
}

/// A search that is kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeptSearch {
    /// The caller's id.
    pub id: String,
    /// When.
    pub occurred_at: Timestamp,
    /// When it was reported.
    pub received_at: Timestamp,
    /// The user, or the guest's session.
    pub subject: Option<String>,
    /// Whether no user was known.
    pub guest: bool,
    /// What was searched for, as it is counted.
    pub query: String,
    /// The kind of search.
    pub kind: String,
    /// What with.
    pub device: Device,
    /// How many results there were.
    pub results: u64,
    /// A JSON object, as text.
    pub filters: Option<String>,
    /// Where from.
    pub referrer: Option<String>,
    /// The keyed hash of the address.
    pub network: Option<Uuid>,
    /// What was done with what it found.
    pub interactions: Vec<KeptInteraction>,
}

/// The id as the caller gave it.
fn given(row: &Row) -> Result<String, StoreError> {
    Ok(match row.get::<Option<String>>("given_id")? {
        Some(text) => text,
        None => row.get::<Uuid>("id")?.to_string(),
    })
}

/// A search, and what it is known by.
struct Found(Uuid, KeptSearch);

impl Record for Found {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let search = KeptSearch {
            id: given(row)?,
            occurred_at: row.get::<At>("occurred_at")?.into(),
            received_at: row.get::<At>("received_at")?.into(),
            subject: row.get("subject")?,
            guest: row.get("guest")?,
            query: row.get("query")?,
            kind: row.get("kind")?,
            device: row.get("device")?,
            results: row.number("results")?,
            filters: row.get("filters")?,
            referrer: row.get("referrer")?,
            network: row.get("network")?,
            interactions: Vec::new(),
        };
        Ok(Self(row.get("id")?, search))
    }
}

impl Record for KeptInteraction {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: given(row)?,
            occurred_at: row.get::<At>("occurred_at")?.into(),
            kind: row.get("kind")?,
            item: row.get("item")?,
            position: row.optional_number("position")?,
            after_ms: row.optional_number("after_ms")?,
        })
    }
}

impl Store {
    /// Everything that is kept of a subject's searches, the oldest first.
    ///
    /// # Errors
    /// As the database says.
    pub async fn export_search_subject(&self, subject: &str, of: SubjectOf) -> Result<Vec<KeptSearch>, StoreError> {
        let keys = of.keys(subject);
        let mut session = self.read().await?;
        let found: Vec<Found> = session
            .sql(
                "SELECT id, given_id, occurred_at, received_at, subject, guest, query, kind, device, results, filters,
                     referrer, network
                 FROM searches WHERE searcher IN ($1, $2) ORDER BY occurred_at, id",
            )
            .bind(keys[0])
            .bind(keys[keys.len() - 1])
            .all()
            .await?;
        let mut kept = Vec::with_capacity(found.len());
        for Found(key, mut search) in found {
            search.interactions = session
                .sql(
                    "SELECT id, given_id, occurred_at, kind, item, position, after_ms FROM search_interactions
                     WHERE search_at = $1 AND search_id = $2 ORDER BY occurred_at, id",
                )
                .bind(At(search.occurred_at))
                .bind(key)
                .all()
                .await?;
            kept.push(search);
        }
        Ok(kept)
    }

    /// Takes out everything that is kept of a subject's searches that took place, or came, until `now`.
    ///
    /// # Errors
    /// As the database says; repeating it goes on where it ended.
    pub async fn erase_search_subject(
        &self,
        subject: &str,
        of: SubjectOf,
        now: Timestamp,
    ) -> Result<ErasedSearches, StoreError> {
        let mut all = ErasedSearches::default();
        for key in of.keys(subject) {
            // First the mark: what comes from a queue after it is not written.
            self.write_one()
                .await?
                .sql(
                    "INSERT INTO search_erasures (subject, erased_at) VALUES ($1, $2)
                     ON CONFLICT (subject) DO UPDATE SET erased_at = excluded.erased_at
                     WHERE search_erasures.erased_at < excluded.erased_at",
                )
                .bind(key)
                .bind(At(now))
                .run()
                .await?;
            let erased = self.take_out_searches_of(key, now).await?;
            all.searches += erased.searches;
            all.interactions += erased.interactions;
        }
        Ok(all)
    }

    async fn take_out_searches_of(&self, key: Uuid, until: Timestamp) -> Result<ErasedSearches, StoreError> {
        let mut erased = ErasedSearches::default();
        loop {
            let mut session = self.begin().await?;
            // A clock that is ahead may have dated what came before into the time after.
            let some = |columns: &str| {
                format!(
                    "SELECT {columns} FROM searches
                     WHERE searcher = $1 AND (occurred_at <= $2 OR received_at <= $2)
                     ORDER BY occurred_at, id LIMIT $3"
                )
            };
            let mut taken = [0; 3];
            for (n, text) in [
                format!(
                    "search_interactions WHERE search_at IS NULL AND search_id IN (SELECT id FROM ({}) AS s)",
                    some("id")
                ),
                format!("search_interactions WHERE (search_id, search_at) IN ({})", some("id, occurred_at")),
                format!("searches WHERE (id, occurred_at) IN ({})", some("id, occurred_at")),
            ]
            .iter()
            .enumerate()
            {
                taken[n] = session
                    .sql(sqlx::AssertSqlSafe(format!("DELETE FROM {text}")))
                    .bind(key)
                    .bind(At(until))
                    .bind(CHUNK)
                    .run()
                    .await?;
            }
            session.commit().await?;
            let [waiting, interactions, searches] = taken;
            erased.interactions += waiting + interactions;
            erased.searches += searches;
            if searches < CHUNK.unsigned_abs() {
                return Ok(erased);
            }
        }
    }

    /// Once more takes out what erased subjects did before: a batch may have been written at the very moment of the
    /// erasure. Answers how many searches that were.
    ///
    /// # Errors
    /// As the database says.
    pub async fn repeat_search_erasures(&self, since: Timestamp) -> Result<u64, StoreError> {
        struct Erasure(Uuid, Timestamp);
        impl Record for Erasure {
            fn read(row: &Row) -> Result<Self, StoreError> {
                Ok(Self(row.get("subject")?, row.get::<At>("erased_at")?.into()))
            }
        }
        let recent: Vec<Erasure> = self
            .read()
            .await?
            .sql("SELECT subject, erased_at FROM search_erasures WHERE erased_at >= $1 ORDER BY subject")
            .bind(At(since))
            .all()
            .await?;
        let mut searches = 0;
        for Erasure(subject, at) in recent {
            searches += self.take_out_searches_of(subject, at).await?.searches;
        }
        Ok(searches)
    }
}
