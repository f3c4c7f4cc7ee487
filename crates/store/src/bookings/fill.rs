//! Many bookings at once, for measurements: what `postrider bench reminders` scans.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::types::Json;

use super::Party;
use crate::db::{At, Backend, Store};
use crate::error::StoreError;

/// Bookings that one statement writes.
const CHUNK: u64 = 50_000;

impl Store {
    /// Writes `count` bookings that stand, of the same two people: `{prefix}{n}` starts `n` times `apart` after `first`, and
    /// is to be looked at `offset` before its start.
    ///
    /// # Errors
    /// As the database says; a booking that is there already is an error.
    #[doc(hidden)]
    pub async fn fill_bookings(
        &self,
        prefix: &str,
        count: u64,
        (first, apart): (Timestamp, Duration),
        offset: Duration,
        people: (&Party, &Party),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let ms = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        let text = match self.backend() {
            Backend::Postgres => {
                "INSERT INTO bookings (id, version, moves, sequence, status, service, starts_at, duration_minutes, student,
                     instructor, updated_at, start_known_at, next_reminder_at)
                 SELECT $1 || n, 1, 0, 0, 'confirmed', 'Piano', to_timestamp(($4 + n * $5) / 1000.0), 60, $7, $8, $9,
                     to_timestamp(0), to_timestamp(($4 + n * $5 - $6) / 1000.0)
                 FROM generate_series($2, $3) AS n"
            }
            Backend::Sqlite => {
                "WITH RECURSIVE series (n) AS (SELECT $2 UNION ALL SELECT n + 1 FROM series WHERE n < $3)
                 INSERT INTO bookings (id, version, moves, sequence, status, service, starts_at, duration_minutes, student,
                     instructor, updated_at, start_known_at, next_reminder_at)
                 SELECT $1 || n, 1, 0, 0, 'confirmed', 'Piano', $4 + n * $5, 60, $7, $8, $9, 0, $4 + n * $5 - $6
                 FROM series"
            }
        };
        let mut from = 0;
        while from < count {
            let until = count.min(from + CHUNK);
            self.write_one()
                .await?
                .sql(text)
                .bind(prefix)
                .bind(from.cast_signed())
                .bind((until - 1).cast_signed())
                .bind(first.as_millisecond())
                .bind(ms(apart))
                .bind(ms(offset))
                .bind(Json(people.0))
                .bind(Json(people.1))
                .bind(At(now))
                .run()
                .await?;
            from = until;
        }
        Ok(())
    }
}
