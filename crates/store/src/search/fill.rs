//! A day of events for a measurement, made by Postgres itself.

use std::time::Duration;

use jiff::Timestamp;

use super::window::from_ms;
use crate::db::{At, Store};
use crate::error::StoreError;

const HOUR_MS: i64 = 3_600_000;

impl Store {
    /// Fills the day that begins at `day` with `events` search events, spread evenly: two searches for three interactions, a
    /// searcher for four searches, a few queries that are searched often and many that are searched rarely. Postgres only,
    /// and only where there are no events on that day.
    ///
    /// # Errors
    /// As the database says.
    pub async fn fill_search_events(&self, day: Timestamp, events: u64) -> Result<(), StoreError> {
        let searches = i64::try_from(events * 2 / 5 / 24).unwrap_or(i64::MAX);
        let interactions = searches * 3 / 2;
        for hour in 0..24 {
            let start = from_ms(day.as_millisecond() + hour * HOUR_MS);
            let first = hour * searches;
            let mut session = self.write_one().await?.patient(Duration::from_secs(600));
            session
                .sql(
                    "INSERT INTO searches (id, occurred_at, received_at, searcher, subject, session, guest, consent, query,
                         kind, device, results)
                     SELECT lpad(to_hex($2 + n), 32, '0')::uuid, at, at,
                         md5('u' || (($2 + n) * 7919 % 1000003) % ($3 * 6))::uuid, 'u' || (($2 + n) * 7919 % 1000003) % ($3 * 6),
                         md5('s' || ($2 + n) % ($3 * 8))::uuid, n % 3 = 0, TRUE,
                         'lessons ' || floor(power((($2 + n) * 7919 % 1000003) / 1000003.0, 4) * 100000),
                         (ARRAY['text', 'text', 'category', 'voice'])[1 + n % 4],
                         (ARRAY['mobile', 'mobile', 'desktop', 'tablet', 'other'])[1 + n % 5], n * 31 % 40
                     FROM (SELECT n, $1 + n * (INTERVAL '1 hour' / $3) AS at FROM generate_series(0, $3 - 1) AS n) AS made",
                )
                .unprepared()
                .bind(At(start))
                .bind(first)
                .bind(searches)
                .run()
                .await?;
            session
                .sql(
                    "INSERT INTO search_interactions (id, occurred_at, received_at, search_id, search_at, kind, item,
                         position, after_ms)
                     SELECT lpad(to_hex($2 * 4 + n), 32, 'f')::uuid, at + (n % 7) * INTERVAL '1 second', at,
                         lpad(to_hex($2 + n * 2 / 3), 32, '0')::uuid, at,
                         (ARRAY['view', 'view', 'view', 'view', 'click', 'click', 'click', 'hover', 'contact', 'book'])[1 + n * 7 % 10],
                         'tutor_' || n % 5000, 1 + n % 20, n * 97 % 60000
                     FROM (SELECT n, $1 + (n * 2 / 3) * (INTERVAL '1 hour' / $3) AS at
                           FROM generate_series(0, $4 - 1) AS n) AS made",
                )
                .unprepared()
                .bind(At(start))
                .bind(first)
                .bind(searches)
                .bind(interactions)
                .run()
                .await?;
        }
        for table in ["VACUUM ANALYZE searches", "VACUUM ANALYZE search_interactions"] {
            self.write_one().await?.patient(Duration::from_secs(600)).sql(table).unprepared().run().await?;
        }
        Ok(())
    }
}
