//! The three writes that every mail makes, for many mails in one statement: on Postgres each commit waits for the disk,
//! and a worker has many mails under way.
//!
//! The mails of a statement come as one JSON array. Each keeps its own condition (state, lease token): who has lost its
//! lease is left out, and its neighbours are not.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;

use super::begin::{OnTheWire, bits};
use super::record::{Delivery, delivery_columns};
use super::settle::{AttemptReport, attempt_columns, replace_attempt};
use crate::db::{Batch, Record, Row, Store};
use crate::error::StoreError;

/// What waits for the next statement, one line a kind of write.
#[derive(Default)]
pub(crate) struct Batches {
    begin: Arc<Batch<Begin, Option<Delivery>>>,
    mark: Arc<Batch<Mark, bool>>,
    sent: Arc<Batch<Sent, bool>>,
}

/// Who asks: a row and the lease under which it is written.
type Asker = (Uuid, i64);

#[derive(Clone, Serialize)]
struct Begin {
    id: Uuid,
    job: Uuid,
    token: i64,
    now: Timestamp,
}

#[derive(Clone, Serialize)]
struct Mark {
    id: Uuid,
    token: i64,
    message_id: String,
    subject: String,
    now: Timestamp,
}

#[derive(Clone, Serialize)]
struct Sent {
    id: Uuid,
    token: i64,
    relay: Option<String>,
    phase: Option<String>,
    code: Option<u16>,
    enhanced: Option<String>,
    text: Option<String>,
    duration_ms: u64,
    now: Timestamp,
}

/// A row that was written, and for whom.
struct Written(Asker);

impl Record for Written {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self((row.get("id")?, row.get("lease_token")?)))
    }
}

/// A row that was begun, and for whom.
struct BegunRow(Asker, Delivery);

impl Record for BegunRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let Written(asker) = Written::read(row)?;
        Ok(Self(asker, Delivery::read(row)?))
    }
}

/// Both databases keep milliseconds; what is finer is cut off, not rounded.
fn millis(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

impl Store {
    /// As `begin_waiting`, together with others.
    pub(super) async fn begin_together(
        &self,
        id: Uuid,
        job: Uuid,
        lease_token: u64,
        now: Timestamp,
    ) -> Result<Option<Delivery>, StoreError> {
        let request = Begin { id, job, token: bits(lease_token), now: millis(now) };
        let store = self.clone();
        let run = move |requests: Vec<Begin>| {
            let store = store.clone();
            async move {
                let begun: Vec<BegunRow> = store
                    .write_one()
                    .await?
                    .sql(concat!(
                        "WITH asked AS (
                             SELECT id AS mail, job, token, now
                             FROM jsonb_to_recordset($1) AS a (id UUID, job UUID, token BIGINT, now TIMESTAMPTZ)
                         )
                         UPDATE deliveries
                         SET state = 'sending', phase = 'envelope', lease_token = token, attempts = attempts + 1,
                             begun_at = now, mail_date = COALESCE(mail_date, now), next_attempt_at = NULL,
                             job_ended = NULL, touched_at = now, sweep_from = now
                         FROM asked
                         WHERE id = mail AND job_id = job AND (state IN ('queued', 'deferred') OR job_ended IS NOT NULL)
                         RETURNING lease_token, ",
                        delivery_columns!()
                    ))
                    // Planned for the table as it is: a plan from when it was small would read all of it later.
                    .unprepared()
                    .bind(Json(&requests))
                    .all()
                    .await?;
                let mut begun: HashMap<Asker, Delivery> = begun.into_iter().map(|row| (row.0, row.1)).collect();
                Ok(requests.iter().map(|one| begun.remove(&(one.id, one.token))).collect())
            }
        };
        self.batches().begin.ask(request, run).await
    }

    /// As `mark_data`, together with others.
    pub(super) async fn mark_data_together(
        &self,
        id: Uuid,
        lease_token: u64,
        message: &OnTheWire,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let request = Mark {
            id,
            token: bits(lease_token),
            message_id: message.message_id.clone(),
            subject: message.subject.clone(),
            now: millis(now),
        };
        let store = self.clone();
        let run = move |requests: Vec<Mark>| {
            let store = store.clone();
            async move {
                let marked: Vec<Written> = store
                    .write_one()
                    .await?
                    .sql(
                        "UPDATE deliveries d
                         SET phase = 'data', message_id = COALESCE(d.message_id, a.message_id), subject = a.subject,
                             touched_at = a.now
                         FROM jsonb_to_recordset($1)
                             AS a (id UUID, token BIGINT, message_id TEXT, subject TEXT, now TIMESTAMPTZ)
                         WHERE d.id = a.id AND d.state = 'sending' AND d.lease_token = a.token
                         RETURNING d.id, d.lease_token",
                    )
                    .unprepared()
                    .bind(Json(&requests))
                    .all()
                    .await?;
                Ok(written(&marked, requests.iter().map(|one| (one.id, one.token))))
            }
        };
        self.batches().mark.ask(request, run).await
    }

    /// As `mark_sent`, together with others.
    pub(super) async fn mark_sent_together(
        &self,
        id: Uuid,
        lease_token: u64,
        report: &AttemptReport,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let request = Sent {
            id,
            token: bits(lease_token),
            relay: report.relay.clone(),
            phase: report.phase.clone(),
            code: report.code,
            enhanced: report.enhanced.clone(),
            text: report.text.clone(),
            duration_ms: u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX >> 1),
            now: millis(now),
        };
        let store = self.clone();
        let run = move |requests: Vec<Sent>| {
            let store = store.clone();
            async move {
                let sent: Vec<Written> = store
                    .write_one()
                    .await?
                    .sql(concat!(
                        "WITH asked AS (
                             SELECT * FROM jsonb_to_recordset($1)
                                 AS a (id UUID, token BIGINT, relay TEXT, phase TEXT, code BIGINT, enhanced TEXT,
                                       text TEXT, duration_ms BIGINT, now TIMESTAMPTZ)
                         ), moved AS (
                             UPDATE deliveries d
                             SET state = 'sent', phase = NULL, last_error = NULL, next_attempt_at = NULL,
                                 sent_at = a.now, touched_at = a.now, sweep_from = a.now, job_ended = NULL
                             FROM asked a
                             WHERE d.id = a.id AND d.lease_token = a.token AND d.state IN ('sending', 'unknown', 'sent')
                             RETURNING d.id, d.lease_token, d.attempts, d.begun_at
                         ), told AS (
                             INSERT INTO delivery_attempts (",
                        attempt_columns!(),
                        ")
                             SELECT m.id, m.attempts, COALESCE(m.begun_at, a.now), a.relay, a.phase, a.code, a.enhanced,
                                    a.text, a.duration_ms, 'sent'
                             FROM moved m JOIN asked a ON a.id = m.id AND a.token = m.lease_token ",
                        replace_attempt!(),
                        ") SELECT id, lease_token FROM moved"
                    ))
                    .unprepared()
                    .bind(Json(&requests))
                    .all()
                    .await?;
                Ok(written(&sent, requests.iter().map(|one| (one.id, one.token))))
            }
        };
        self.batches().sent.ask(request, run).await
    }
}

/// For each asker whether its row was written.
fn written(rows: &[Written], askers: impl Iterator<Item = Asker>) -> Vec<bool> {
    let written: HashSet<Asker> = rows.iter().map(|row| row.0).collect();
    askers.map(|asker| written.contains(&asker)).collect()
}
