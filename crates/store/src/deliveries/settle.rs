//! Ending an attempt. State and attempt are written together, and only under the lease token of the attempt.
//!
//! Every `mark_…` answers `false` if the token no longer holds the mail: then nothing changed. Repeating a call is
//! harmless.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::begin::bits;
use super::state::{AttemptOutcome, DeliveryState};
use crate::db::{At, Backend, Session, Statement, Store};
use crate::endings::JobEnd;
use crate::error::StoreError;
use crate::people::ERASED_ADDRESS;

/// What an attempt has to say about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttemptReport {
    /// The relay that was spoken to.
    pub relay: Option<String>,
    /// Where in the conversation it ended.
    pub phase: Option<String>,
    /// The reply code (RFC 5321 §4.2).
    pub code: Option<u16>,
    /// The enhanced status code (RFC 3463).
    pub enhanced: Option<String>,
    /// The reply's text, or the reason.
    pub text: Option<String>,
    /// How long it took.
    pub duration: Duration,
}

impl AttemptReport {
    /// What a relay says may hold NUL, which Postgres does not keep in text: the end of a mail must not hang on that. Nor
    /// should it steer the terminal of whoever reads it.
    fn storable(&self) -> Self {
        let clean = |text: &Option<String>| text.as_ref().map(|text| text.replace(char::is_control, "\u{fffd}"));
        Self {
            relay: self.relay.clone(),
            phase: self.phase.clone(),
            code: self.code,
            enhanced: clean(&self.enhanced),
            text: clean(&self.text),
            duration: self.duration,
        }
    }
}

/// What an attempt leads to.
struct End {
    state: DeliveryState,
    outcome: AttemptOutcome,
    next_attempt_at: Option<Timestamp>,
    job_ended: Option<JobEnd>,
}

impl End {
    fn of(state: DeliveryState, outcome: AttemptOutcome) -> Self {
        Self { state, outcome, next_attempt_at: None, job_ended: None }
    }
}

/// The columns of an attempt.
macro_rules! attempt_columns {
    () => {
        "delivery_id, n, started_at, relay, phase, code, enhanced, text, duration_ms, outcome"
    };
}

/// A later word about the same attempt replaces the earlier one.
macro_rules! replace_attempt {
    () => {
        "ON CONFLICT (delivery_id, n) DO UPDATE SET
             relay = excluded.relay, phase = excluded.phase, code = excluded.code, enhanced = excluded.enhanced,
             text = excluded.text, duration_ms = excluded.duration_ms, outcome = excluded.outcome"
    };
}

pub(super) use {attempt_columns, replace_attempt};

impl Store {
    /// The receiver took the mail. This also corrects `unknown` for the attempt that wrote it, if nobody has released
    /// the mail meanwhile.
    ///
    /// # Errors
    /// As the database says.
    pub async fn mark_sent(
        &self,
        id: Uuid,
        lease_token: u64,
        report: &AttemptReport,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.mark_sent_together(id, lease_token, report.storable(), now).await
    }

    /// A temporary failure. The sweep leaves the mail alone until after `next_attempt_at`.
    ///
    /// # Errors
    /// As the database says.
    pub async fn mark_deferred(
        &self,
        id: Uuid,
        lease_token: u64,
        report: &AttemptReport,
        next_attempt_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let to = End::of(DeliveryState::Deferred, AttemptOutcome::Deferred);
        self.settle(id, lease_token, End { next_attempt_at: Some(next_attempt_at), ..to }, report, now).await
    }

    /// A permanent failure.
    ///
    /// # Errors
    /// As the database says.
    pub async fn mark_failed(
        &self,
        id: Uuid,
        lease_token: u64,
        report: &AttemptReport,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.settle(id, lease_token, End::of(DeliveryState::Failed, AttemptOutcome::Failed), report, now).await
    }

    /// The mail cannot be made: its template, its sender or its address is at fault, and its job is to be dead. Once that
    /// is put right and the job is redriven, it takes the mail up again.
    ///
    /// # Errors
    /// As the database says.
    pub async fn mark_unsendable(
        &self,
        id: Uuid,
        lease_token: u64,
        report: &AttemptReport,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let to = End { job_ended: Some(JobEnd::Dead), ..End::of(DeliveryState::Failed, AttemptOutcome::Failed) };
        self.settle(id, lease_token, to, report, now).await
    }

    /// The reply after the dot was lost.
    ///
    /// # Errors
    /// As the database says.
    pub async fn mark_unknown(
        &self,
        id: Uuid,
        lease_token: u64,
        report: &AttemptReport,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.settle(id, lease_token, End::of(DeliveryState::Unknown, AttemptOutcome::Unknown), report, now).await
    }

    /// The deadline had passed.
    ///
    /// # Errors
    /// As the database says.
    pub async fn mark_expired(
        &self,
        id: Uuid,
        lease_token: u64,
        report: &AttemptReport,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.settle(id, lease_token, End::of(DeliveryState::Expired, AttemptOutcome::Expired), report, now).await
    }

    /// The sender's domain would not authenticate.
    ///
    /// # Errors
    /// As the database says.
    pub async fn mark_held(
        &self,
        id: Uuid,
        lease_token: u64,
        report: &AttemptReport,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.settle(id, lease_token, End::of(DeliveryState::Held, AttemptOutcome::Held), report, now).await
    }

    /// The recipient must not be written to.
    ///
    /// # Errors
    /// As the database says.
    pub async fn mark_suppressed(
        &self,
        id: Uuid,
        lease_token: u64,
        report: &AttemptReport,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.settle(id, lease_token, End::of(DeliveryState::Suppressed, AttemptOutcome::Suppressed), report, now).await
    }

    /// What the mail would have said is no longer so.
    ///
    /// # Errors
    /// As the database says.
    pub async fn mark_called_off(
        &self,
        id: Uuid,
        lease_token: u64,
        report: &AttemptReport,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.settle(id, lease_token, End::of(DeliveryState::Cancelled, AttemptOutcome::Cancelled), report, now).await
    }

    /// One round trip on Postgres, one turn of the writer on SQLite.
    async fn settle(
        &self,
        id: Uuid,
        lease_token: u64,
        End { state, outcome, next_attempt_at, job_ended }: End,
        report: &AttemptReport,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let report = &report.storable();
        let changed = self
            .write_one()
            .await?
            .sql(AssertSqlSafe(settling(self.backend(), state)))
            .bind(id)
            .bind(bits(lease_token))
            .bind(state)
            .bind(report.text.as_deref())
            .bind(next_attempt_at.map(At))
            .bind(At(now))
            .bind(At(next_attempt_at.unwrap_or(now)))
            .bind_report(report, outcome)
            .bind(job_ended)
            .run_together()
            .await?;
        Ok(changed > 0)
    }
}

/// What a receiver said often names its recipient. Of one who was erased while the attempt ran it is not written down.
pub(super) fn unless_erased(text: &str) -> String {
    format!("CASE WHEN recipient = '{ERASED_ADDRESS}' THEN NULL ELSE {text} END")
}

/// Moves the row ($1 its id, $2 the token, $3 the new state) and writes the attempt ($8 to $14) if it moved.
fn settling(backend: Backend, state: DeliveryState) -> String {
    let update = format!(
        "UPDATE deliveries
         SET state = $3, phase = NULL, last_error = {last_error}, next_attempt_at = $5, touched_at = $6,
             sweep_from = $7, job_ended = $15
         WHERE id = $1 AND lease_token = $2 AND state IN ({sources}, '{state}')",
        last_error = unless_erased("$4"),
        sources = state.sources(),
    );
    let insert = concat!("INSERT INTO delivery_attempts (", attempt_columns!(), ")");
    let text = unless_erased("$12");
    let values = format!("id, attempts, COALESCE(begun_at, $6), $8, $9, $10, $11, {text}, $13, $14");
    let replace = replace_attempt!();
    match backend {
        // What an UPDATE changed is only seen through its RETURNING within the same statement.
        Backend::Postgres => format!(
            "WITH moved AS ({update} RETURNING id, attempts, begun_at, recipient)
             {insert} SELECT {values} FROM moved
             {replace}"
        ),
        // SQLite knows no UPDATE inside a WITH. The second statement finds the row that the first has moved.
        Backend::Sqlite => format!(
            "{update};
             {insert} SELECT {values} FROM deliveries WHERE id = $1 AND lease_token = $2 AND state = $3
             {replace}"
        ),
    }
}

/// Writes how an attempt ended that did not say so itself.
pub(super) async fn write_attempt(
    session: &mut Session,
    id: Uuid,
    n: i64,
    started_at: Timestamp,
    report: &AttemptReport,
    outcome: AttemptOutcome,
) -> Result<(), StoreError> {
    session
        .sql(concat!(
            "INSERT INTO delivery_attempts (",
            attempt_columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ",
            replace_attempt!()
        ))
        .bind(id)
        .bind(n)
        .bind(At(started_at))
        .bind_report(report, outcome)
        .run()
        .await?;
    Ok(())
}

impl Statement<'_> {
    /// The seven values of an attempt, in the order of the columns.
    fn bind_report(self, report: &AttemptReport, outcome: AttemptOutcome) -> Self {
        self.bind(report.relay.as_deref())
            .bind(report.phase.as_deref())
            .bind(report.code.map(i64::from))
            .bind(report.enhanced.as_deref())
            .bind(report.text.as_deref())
            .bind(i64::try_from(report.duration.as_millis()).unwrap_or(i64::MAX))
            .bind(outcome)
    }
}
