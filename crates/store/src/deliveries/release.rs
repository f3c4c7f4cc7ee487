//! Setting many held mails on their way again in one statement: a mended domain may have a hundred thousand.
//!
//! Any number of workers may do it at once: each mail is released once, and nobody waits for another.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::AssertSqlSafe;
use sqlx::types::Json;
use uuid::Uuid;

use super::record::DeliveryRef;
use crate::db::{At, Backend, Store};
use crate::error::StoreError;
use crate::people::ERASED_ADDRESS;

/// A held mail, and the job that is to send it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct HeldMail {
    /// The mail.
    pub mail: Uuid,
    /// Its new job; the note in the mail's history has this id too.
    pub job: Uuid,
}

/// What makes a mail one that can be released: it is held, and there is something left to be sent to somebody.
pub(crate) fn releasable() -> String {
    format!(
        "state = 'held' AND recipient <> '{ERASED_ADDRESS}' AND content_removed_at IS NULL
         AND (email_id IS NULL OR EXISTS (SELECT 1 FROM emails e WHERE e.id = email_id AND e.content IS NOT NULL))"
    )
}

const CHANGE: &str =
    "SET state = 'queued', release = release + 1, job_id = asked.job, lease_token = NULL, phase = NULL,
     next_attempt_at = NULL, touched_at = $2, sweep_from = $2";
const COLUMNS: &str = "id, idempotency_key, job_id, release, state, send_at";
const NOTE: &str = "INSERT INTO delivery_actions (id, delivery_id, at, action, found, actor)
     SELECT job_id, id, $2, 'resend', 'held', $3";

/// $1 the mails with their jobs, $2 when, $3 who.
fn releasing(backend: Backend) -> String {
    let releasable = releasable();
    match backend {
        Backend::Postgres => format!(
            "WITH asked AS (SELECT * FROM jsonb_to_recordset($1) AS a (mail UUID, job UUID)),
             free AS (
                 SELECT id AS free_id FROM deliveries
                 WHERE id IN (SELECT mail FROM asked) AND {releasable}
                 ORDER BY id FOR UPDATE SKIP LOCKED
             ),
             moved AS (
                 UPDATE deliveries {CHANGE} FROM asked, free WHERE id = free_id AND id = mail RETURNING {COLUMNS}
             ),
             noted AS ({NOTE} FROM moved)
             SELECT {COLUMNS} FROM moved"
        ),
        Backend::Sqlite => {
            let asked = "WITH asked AS (
                 SELECT unhex(value ->> 'mail', '-') AS mail, unhex(value ->> 'job', '-') AS job FROM json_each($1)
             )";
            // SQLite knows no UPDATE inside a WITH. The second statement finds the rows that the first has moved: they have
            // their new job, and no note of it yet.
            format!(
                "{asked} UPDATE deliveries {CHANGE} FROM asked WHERE id = mail AND {releasable} RETURNING {COLUMNS};
                 {asked} {NOTE} FROM asked JOIN deliveries ON id = mail
                 WHERE job_id = job AND NOT EXISTS (SELECT 1 FROM delivery_actions noted WHERE noted.id = job)"
            )
        }
    }
}

impl Store {
    /// Releases those of these mails that are held still and of which something is left, each under its new job: enqueue
    /// it under the key and the release number that this answers. A deadline stays where it is. `actor` is who mended
    /// what held them.
    ///
    /// # Errors
    /// As the database says; then none was released.
    pub async fn release_held(
        &self,
        mails: &[HeldMail],
        actor: &str,
        now: Timestamp,
    ) -> Result<Vec<DeliveryRef>, StoreError> {
        let mut session = self.write_by_index().await?;
        let released = session
            .sql(AssertSqlSafe(releasing(self.backend())))
            .bind(Json(mails))
            .bind(At(now))
            .bind(actor)
            .all_together()
            .await?;
        session.commit().await?;
        Ok(released)
    }
}
