//! The months that events lie in. On Postgres each is a partition, made ahead and dropped as a whole; SQLite has none.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sqlx::AssertSqlSafe;

use super::state;
use crate::db::{At, Backend, Record, Row, Store};
use crate::error::StoreError;

/// What is partitioned.
const TABLES: [&str; 2] = ["searches", "search_interactions"];
/// Months that are there before they begin.
const AHEAD: i8 = 2;
/// Dropping a partition locks its parent for a moment; whoever cannot have the lock at once tries again another day.
const LOCK_PATIENCE: &str = "SET LOCAL lock_timeout = '500ms'";

struct Made;

impl Record for Made {
    fn read(_: &Row) -> Result<Self, StoreError> {
        Ok(Self)
    }
}

struct Partition(String);

impl Record for Partition {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("name")?))
    }
}

/// The beginning of the month that is `months` after that of `at`, UTC.
fn month(at: Timestamp, months: i8) -> Timestamp {
    let day = at.to_zoned(TimeZone::UTC).date().first_of_month();
    let day = day.checked_add(jiff::Span::new().months(months)).unwrap_or(day);
    day.to_zoned(TimeZone::UTC).map_or(at, |zoned| zoned.timestamp())
}

impl Store {
    /// Makes the partitions that events of these times lie in, where they are missing.
    ///
    /// # Errors
    /// As the database says.
    pub async fn make_search_partitions(&self, times: impl Iterator<Item = Timestamp>) -> Result<(), StoreError> {
        if self.backend() == Backend::Sqlite {
            return Ok(());
        }
        let months: BTreeSet<Timestamp> = times.map(|at| month(at, 0)).collect();
        for month in months {
            for table in TABLES {
                let mut session = self.write_one().await?;
                let made = session.sql("SELECT search_partition($1, $2)").bind(table).bind(At(month));
                made.optional::<Made>().await?;
            }
        }
        Ok(())
    }

    /// Makes the partitions of this month and the next two: so that no event ever waits for one.
    ///
    /// # Errors
    /// As the database says.
    pub async fn make_search_partitions_ahead(&self, now: Timestamp) -> Result<(), StoreError> {
        self.make_search_partitions((0..=AHEAD).map(|months| month(now, months))).await
    }

    /// Drops the partitions of which everything is older than `before`; answers how many. One that is in use just now is
    /// left for the next time.
    ///
    /// # Errors
    /// As the database says.
    pub async fn drop_search_partitions(&self, before: Timestamp) -> Result<u64, StoreError> {
        if self.backend() == Backend::Sqlite {
            return Ok(0);
        }
        let mut dropped = 0;
        for table in TABLES {
            // Their names end with year and month: they sort as they follow.
            let last = format!("{table}_{}", month(before, 0).to_zoned(TimeZone::UTC).strftime("%Y_%m"));
            let old: Vec<Partition> = self
                .read()
                .await?
                .sql(
                    "SELECT c.relname::text AS name FROM pg_inherits i
                     JOIN pg_class c ON c.oid = i.inhrelid
                     WHERE i.inhparent = to_regclass($1) AND c.relname::text < $2 ORDER BY 1",
                )
                .bind(table)
                .bind(last)
                .all()
                .await?;
            for Partition(name) in old {
                let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
                if !plain {
                    return Err(StoreError::Corrupt(format!("a partition is called {name:?}")));
                }
                let mut session = self.begin().await?.patient(Duration::from_secs(60));
                session.sql(LOCK_PATIENCE).run().await?;
                state::events_go(&mut session, month(before, 0)).await?;
                match session.sql(AssertSqlSafe(format!("DROP TABLE {name}"))).unprepared().run().await {
                    Ok(_) => {
                        session.commit().await?;
                        dropped += 1;
                    }
                    Err(busy) if busy.is_transient() => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_those_of_utc() {
        let at: Timestamp = "2026-11-30T23:59:59.999Z".parse().unwrap();
        assert_eq!(month(at, 0).to_string(), "2026-11-01T00:00:00Z");
        assert_eq!(month(at, 2).to_string(), "2027-01-01T00:00:00Z");
    }
}
