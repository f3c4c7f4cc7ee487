//! Which windows hold events that are not counted yet.
//!
//! 1. Whoever writes an event marks its hour in the same transaction, under a token of its own. There are [`SLOTS`] rows a
//!    window, so that those who ingest at the same time rarely wait for each other.
//! 2. A roll-up reads the marks, then the events, and takes away the marks that still have the token it has read: what was
//!    written meanwhile has changed it, and is counted by the next one.
//! 3. An hour that was counted marks its day in a row of this count's own: another count does not overwrite it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use uuid::Uuid;

use super::window::Granularity;
use crate::db::{At, Record, Row, Session, Store};
use crate::error::StoreError;

/// Rows that a window's marks are spread over.
const SLOTS: u128 = 16;

/// A window whose counts are not up to date, and what is known of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirtyWindow {
    /// Hour or day.
    pub granularity: Granularity,
    /// Where it begins.
    pub starts_at: Timestamp,
    /// When it was last counted.
    pub rolled_at: Option<Timestamp>,
    /// How many searches it held then.
    pub searches: u64,
}

impl Record for DirtyWindow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            granularity: row.get("granularity")?,
            starts_at: row.get::<At>("starts_at")?.into(),
            rolled_at: row.get::<Option<At>>("rolled_at")?.map(Timestamp::from),
            searches: row.number("searches")?,
        })
    }
}

/// A mark.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    slot: i64,
    token: Uuid,
}

impl Record for Mark {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { slot: row.get("slot")?, token: row.get("token")? })
    }
}

impl Mark {
    /// The mark that who has this token leaves.
    pub(super) fn of(token: Uuid) -> Self {
        // The last bits of a job's id are its queue's: those before them differ.
        Self { slot: i64::try_from((token.as_u128() >> 16) % SLOTS).unwrap_or(0), token }
    }

    /// The mark that an hour leaves at its day: in a row of who counts both, under the hour's own turn, so that who has read
    /// the one of an earlier hour does not take this one away.
    pub(super) fn of_turns(counts: i64, hour: i64) -> Self {
        let slots = i64::try_from(SLOTS).unwrap_or(0);
        Self { slot: counts.saturating_add(slots), token: Uuid::from_u128(hour.unsigned_abs().into()) }
    }
}

/// Marks windows.
pub(super) async fn set(
    session: &mut Session,
    granularity: Granularity,
    windows: &BTreeSet<Timestamp>,
    mark: Mark,
    now: Timestamp,
) -> Result<(), StoreError> {
    // In their order: who waits for a row never holds a later one.
    for starts_at in windows {
        session
            .sql(
                "INSERT INTO search_marks (granularity, starts_at, slot, token, marked_at) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (granularity, starts_at, slot) DO UPDATE
                 SET token = excluded.token, marked_at = excluded.marked_at",
            )
            .bind(granularity)
            .bind(At(*starts_at))
            .bind(mark.slot)
            .bind(mark.token)
            .bind(At(now))
            .run()
            .await?;
    }
    Ok(())
}

/// The marks of a window.
pub(super) async fn of(
    session: &mut Session,
    granularity: Granularity,
    starts_at: Timestamp,
) -> Result<Vec<Mark>, StoreError> {
    session
        .sql("SELECT slot, token FROM search_marks WHERE granularity = $1 AND starts_at = $2 ORDER BY slot")
        .bind(granularity)
        .bind(At(starts_at))
        .all()
        .await
}

/// Takes away those marks of a window that are as they were read.
pub(super) async fn clear(
    session: &mut Session,
    granularity: Granularity,
    starts_at: Timestamp,
    read: &[Mark],
) -> Result<(), StoreError> {
    for mark in read {
        session
            .sql("DELETE FROM search_marks WHERE granularity = $1 AND starts_at = $2 AND slot = $3 AND token = $4")
            .bind(granularity)
            .bind(At(starts_at))
            .bind(mark.slot)
            .bind(mark.token)
            .run()
            .await?;
    }
    Ok(())
}

impl Store {
    /// The windows of this length that hold events which are not counted yet, the oldest first.
    ///
    /// # Errors
    /// As the database says.
    pub async fn dirty_search_windows(&self, granularity: Granularity) -> Result<Vec<DirtyWindow>, StoreError> {
        self.read()
            .await?
            .sql(
                "SELECT m.granularity, m.starts_at, w.rolled_at, COALESCE(w.searches, 0) AS searches
                 FROM (SELECT DISTINCT granularity, starts_at FROM search_marks WHERE granularity = $1) m
                 LEFT JOIN search_windows w ON w.granularity = m.granularity AND w.starts_at = m.starts_at
                 ORDER BY m.starts_at",
            )
            .bind(granularity)
            .all()
            .await
    }

    /// The days that hold events which are not counted yet, the oldest first, each with its hours that do.
    ///
    /// # Errors
    /// As the database says.
    pub async fn dirty_search_hours_by_day(&self) -> Result<Vec<(DirtyWindow, Vec<DirtyWindow>)>, StoreError> {
        let day_of = |window: &DirtyWindow| Granularity::Day.floor(window.starts_at);
        let mut days: BTreeMap<Timestamp, (Option<DirtyWindow>, Vec<DirtyWindow>)> = BTreeMap::new();
        for hour in self.dirty_search_windows(Granularity::Hour).await? {
            days.entry(day_of(&hour)).or_default().1.push(hour);
        }
        for day in self.dirty_search_windows(Granularity::Day).await? {
            let (known, _) = days.entry(day.starts_at).or_default();
            *known = Some(day);
        }
        let mut dirty = Vec::with_capacity(days.len());
        for (starts_at, (day, hours)) in days {
            let day = match day {
                Some(day) => day,
                // No hour of it was counted since the day was.
                None => self.counted_search_day(starts_at).await?,
            };
            dirty.push((day, hours));
        }
        Ok(dirty)
    }

    async fn counted_search_day(&self, starts_at: Timestamp) -> Result<DirtyWindow, StoreError> {
        let counted = self
            .read()
            .await?
            .sql("SELECT granularity, starts_at, rolled_at, searches FROM search_windows WHERE granularity = $1 AND starts_at = $2")
            .bind(Granularity::Day)
            .bind(At(starts_at))
            .optional()
            .await?;
        let never = DirtyWindow { granularity: Granularity::Day, starts_at, rolled_at: None, searches: 0 };
        Ok(counted.unwrap_or(never))
    }

    /// Marks the hours that begin in `from..to`, and their days, so that they are counted again.
    ///
    /// # Errors
    /// As the database says.
    pub async fn mark_search_hours(
        &self,
        from: Timestamp,
        to: Timestamp,
        token: Uuid,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for granularity in [Granularity::Hour, Granularity::Day] {
            let mut windows = BTreeSet::new();
            let mut start = granularity.floor(from);
            while start < to {
                windows.insert(start);
                start = granularity.next(start);
            }
            let mut session = self.begin().await?;
            set(&mut session, granularity, &windows, Mark::of(token), now).await?;
            session.commit().await?;
        }
        Ok(())
    }
}
