//! The three writes that every mail makes, for many mails in one statement: each commit waits for the disk, each statement
//! has its price, and a worker has many mails under way.
//!
//! The mails of a statement come as one JSON array; what they ask for is a table `asked` in front of the statement, whose
//! columns are named unlike those of the ledger. Each mail keeps its own condition (state, lease token): who has lost its
//! lease is left out, and its neighbours are not.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::AssertSqlSafe;
use sqlx::types::Json;
use uuid::Uuid;

use super::begin::{OnTheWire, bits};
use super::record::{Delivery, delivery_columns};
use super::settle::{AttemptReport, attempt_columns, replace_attempt, unless_erased};
use crate::db::{Backend, Batch, Record, Row, Store};
use crate::error::StoreError;

/// What waits for the next statement, one line a kind of write.
#[derive(Default)]
pub(crate) struct Batches {
    begin: Arc<Batch<Begin, Option<Delivery>>>,
    mark: Arc<Batch<Mark, bool>>,
    sent: Arc<Batch<Sent, bool>>,
}

/// Whose write it is: a row, the lease under which it is written, and when. Postgres reads the time as text, SQLite as the
/// milliseconds that it keeps.
#[derive(Clone, Copy, Serialize)]
struct Asker {
    mail: Uuid,
    token: i64,
    at: Timestamp,
    at_ms: i64,
}

impl Asker {
    fn new(mail: Uuid, lease_token: u64, now: Timestamp) -> Self {
        let at_ms = now.as_millisecond();
        // Both databases keep milliseconds; what is finer is cut off, not rounded.
        let at = Timestamp::from_millisecond(at_ms).unwrap_or(now);
        Self { mail, token: bits(lease_token), at, at_ms }
    }

    fn key(&self) -> Key {
        (self.mail, self.token)
    }
}

/// What tells askers apart.
type Key = (Uuid, i64);

#[derive(Clone, Serialize)]
struct Begin {
    #[serde(flatten)]
    asker: Asker,
    job: Uuid,
}

#[derive(Clone, Serialize)]
struct Mark {
    #[serde(flatten)]
    asker: Asker,
    wire_id: String,
    wire_subject: String,
}

#[derive(Clone, Serialize)]
struct Sent {
    #[serde(flatten)]
    asker: Asker,
    to_relay: Option<String>,
    ended_in: Option<String>,
    reply_code: Option<u16>,
    reply_status: Option<String>,
    reply_text: Option<String>,
    took_ms: u64,
}

/// A row that was written, and for whom.
struct Written(Key);

impl Record for Written {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self((row.get("id")?, row.get("lease_token")?)))
    }
}

/// A row that was begun, and for whom.
struct BegunRow(Key, Delivery);

impl Record for BegunRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let Written(key) = Written::read(row)?;
        Ok(Self(key, Delivery::read(row)?))
    }
}

/// The table `asked` of the array in `$1`: the asker's columns, and these, as each database has to be told.
fn asked(backend: Backend, postgres: &str, sqlite: &str) -> String {
    match backend {
        Backend::Postgres => format!(
            "WITH asked AS (
                 SELECT * FROM jsonb_to_recordset($1) AS a (mail UUID, token BIGINT, at TIMESTAMPTZ{postgres})
             )"
        ),
        Backend::Sqlite => format!(
            "WITH asked AS (
                 SELECT unhex(value ->> 'mail', '-') AS mail, value ->> 'token' AS token, value ->> 'at_ms' AS at{sqlite}
                 FROM json_each($1)
             )"
        ),
    }
}

const BEGIN: &str = concat!(
    "UPDATE deliveries
     SET state = 'sending', phase = 'envelope', lease_token = token, attempts = attempts + 1, begun_at = at,
         mail_date = COALESCE(mail_date, at), next_attempt_at = NULL, job_ended = NULL, touched_at = at, sweep_from = at
     FROM asked
     WHERE id = mail AND job_id = job AND (state IN ('queued', 'deferred') OR job_ended IS NOT NULL)
     RETURNING lease_token, ",
    delivery_columns!()
);

/// Marks the rows.
fn marking(backend: Backend) -> String {
    let asked = asked(
        backend,
        ", wire_id TEXT, wire_subject TEXT",
        ", value ->> 'wire_id' AS wire_id, value ->> 'wire_subject' AS wire_subject",
    );
    format!(
        "{asked} UPDATE deliveries
         SET phase = 'data', message_id = COALESCE(message_id, wire_id), subject = {subject}, touched_at = at
         FROM asked
         WHERE id = mail AND lease_token = token AND state = 'sending'
         RETURNING id, lease_token",
        subject = unless_erased("wire_subject"),
    )
}

const SENT: &str = "UPDATE deliveries
     SET state = 'sent', phase = NULL, last_error = NULL, next_attempt_at = NULL, sent_at = at, touched_at = at,
         sweep_from = at, job_ended = NULL
     FROM asked
     WHERE id = mail AND lease_token = token AND state IN ('sending', 'unknown', 'sent')
     RETURNING id, lease_token";

/// The attempt of a mail that was moved, in two halves: where it goes, and what of.
const TOLD: &str = concat!("INSERT INTO delivery_attempts (", attempt_columns!(), ")");
fn told_of() -> String {
    let text = unless_erased("reply_text");
    format!(
        "id, attempts, COALESCE(begun_at, at), to_relay, ended_in, reply_code, reply_status, {text}, took_ms, 'sent'"
    )
}

/// Moves the rows and writes their attempts.
fn sending(backend: Backend) -> String {
    let asked = asked(
        backend,
        ", to_relay TEXT, ended_in TEXT, reply_code BIGINT, reply_status TEXT, reply_text TEXT, took_ms BIGINT",
        ", value ->> 'to_relay' AS to_relay, value ->> 'ended_in' AS ended_in, value ->> 'reply_code' AS reply_code,
         value ->> 'reply_status' AS reply_status, value ->> 'reply_text' AS reply_text, value ->> 'took_ms' AS took_ms",
    );
    let (replace, told_of) = (replace_attempt!(), told_of());
    match backend {
        // What an UPDATE changed is only seen through its RETURNING within the same statement.
        Backend::Postgres => format!(
            "{asked}, moved AS (
                 {SENT}, attempts, begun_at, at, to_relay, ended_in, reply_code, reply_status, reply_text, took_ms,
                        recipient
             ), told AS ({TOLD} SELECT {told_of} FROM moved {replace})
             SELECT id, lease_token FROM moved"
        ),
        // SQLite knows no UPDATE inside a WITH. The second statement finds the rows that the first has moved.
        Backend::Sqlite => format!(
            "{asked} {SENT};
             {asked} {TOLD} SELECT {told_of} FROM asked JOIN deliveries ON id = mail
                            WHERE lease_token = token AND state = 'sent' {replace}"
        ),
    }
}

impl Store {
    /// Begins the attempt of a mail that waits, together with others; nothing if it does not wait.
    pub(super) async fn begin_waiting(
        &self,
        id: Uuid,
        job: Uuid,
        lease_token: u64,
        now: Timestamp,
    ) -> Result<Option<Delivery>, StoreError> {
        let request = Begin { job, asker: Asker::new(id, lease_token, now) };
        let store = self.clone();
        let run = move |requests: Vec<Begin>| {
            let store = store.clone();
            async move {
                let asked = asked(store.backend(), ", job UUID", ", unhex(value ->> 'job', '-') AS job");
                let begun: Vec<BegunRow> = store.ask_for(asked + BEGIN, &requests).await?;
                let mut begun: HashMap<(Key, Uuid), Delivery> =
                    begun.into_iter().map(|row| ((row.0, row.1.job_id), row.1)).collect();
                // Two jobs of one mail may ask under one lease: only the mail's own has begun it.
                Ok(requests.iter().map(|one| begun.remove(&(one.asker.key(), one.job))).collect())
            }
        };
        self.batches().ledger.begin.ask(request, run).await
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
            asker: Asker::new(id, lease_token, now),
            wire_id: message.message_id.clone(),
            wire_subject: message.subject.clone(),
        };
        let store = self.clone();
        let run = move |requests: Vec<Mark>| {
            let store = store.clone();
            async move {
                let marked = store.ask_for(marking(store.backend()), &requests).await?;
                Ok(written(&marked, requests.iter().map(|one| one.asker)))
            }
        };
        self.batches().ledger.mark.ask(request, run).await
    }

    /// As `mark_sent`, together with others.
    pub(super) async fn mark_sent_together(
        &self,
        id: Uuid,
        lease_token: u64,
        report: AttemptReport,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let request = Sent {
            asker: Asker::new(id, lease_token, now),
            to_relay: report.relay,
            ended_in: report.phase,
            reply_code: report.code,
            reply_status: report.enhanced,
            reply_text: report.text,
            took_ms: u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX >> 1),
        };
        let store = self.clone();
        let run = move |requests: Vec<Sent>| {
            let store = store.clone();
            async move {
                let sent = store.ask_for(sending(store.backend()), &requests).await?;
                Ok(written(&sent, requests.iter().map(|one| one.asker)))
            }
        };
        self.batches().ledger.sent.ask(request, run).await
    }

    /// Runs a statement on what `requests` ask for.
    async fn ask_for<Q, R>(&self, text: String, requests: &[Q]) -> Result<Vec<R>, StoreError>
    where
        Q: Serialize + Sync,
        R: Record,
    {
        let mut session = self.write_by_index().await?;
        let rows = session.sql(AssertSqlSafe(text)).bind(Json(requests)).all_together().await?;
        session.commit().await?;
        Ok(rows)
    }
}

/// For each asker whether its row was written.
fn written(rows: &[Written], askers: impl Iterator<Item = Asker>) -> Vec<bool> {
    let written: HashSet<Key> = rows.iter().map(|row| row.0).collect();
    askers.map(|asker| written.contains(&asker.key())).collect()
}
