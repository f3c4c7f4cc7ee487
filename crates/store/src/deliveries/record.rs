//! The ledger's rows as they are read.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::types::Json;
use uuid::Uuid;

use super::class::{Category, Class};
use super::state::{AttemptOutcome, DeliveryState, MailPhase};
use crate::db::{At, Record, Row};
use crate::error::StoreError;

/// A mail to one person.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The row's id. Boundaries and the like are derived from it, so that they are the same in every attempt.
    pub id: Uuid,
    /// What the mail is for; unique.
    pub idempotency_key: String,
    /// The template's name.
    pub template: String,
    /// The sender profile's name.
    pub sender: String,
    /// What it is to its reader.
    pub category: Category,
    /// How it is sent.
    pub class: Class,
    /// The address that it goes to.
    pub recipient: String,
    /// The name beside it.
    pub recipient_name: Option<String>,
    /// What the template is filled with.
    pub data: serde_json::Value,
    /// The recipient's language, BCP 47; none is English.
    pub locale: Option<String>,
    /// The invitation that it carries, as `mail::calendar` reads it.
    pub calendar: Option<serde_json::Value>,
    /// The booking that it is about.
    pub booking_id: Option<String>,
    /// The version of the booking that it tells of.
    pub booking_version: Option<i64>,
    /// For a reminder: which start it is about, counted as the booking's moves.
    pub booking_moves: Option<i64>,
    /// Before this it is not sent.
    pub send_at: Option<Timestamp>,
    /// The `POST /v1/emails` that it belongs to.
    pub email_id: Option<Uuid>,
    /// The subject as it went over the wire.
    pub subject: Option<String>,
    /// Where it stands.
    pub state: DeliveryState,
    /// How far the current attempt is; none unless `sending`.
    pub phase: Option<MailPhase>,
    /// How often it was set on its way again.
    pub release: u32,
    /// Attempts begun.
    pub attempts: u32,
    /// The Message-ID as it went over the wire, kept from the first attempt that got as far as the body.
    pub message_id: Option<String>,
    /// The Date header, fixed when the first attempt began.
    pub mail_date: Option<Timestamp>,
    /// The job that sends it.
    pub job_id: Uuid,
    /// After this the mail is worth nothing.
    pub deadline: Option<Timestamp>,
    /// When it will be tried again, if it is deferred.
    pub next_attempt_at: Option<Timestamp>,
    /// What the last attempt ended with, if not well.
    pub last_error: Option<String>,
    /// When it was decided.
    pub created_at: Timestamp,
    /// When it last changed.
    pub touched_at: Timestamp,
    /// When the receiver took it.
    pub sent_at: Option<Timestamp>,
    /// When what it was filled with was removed, because its time was over.
    pub content_removed_at: Option<Timestamp>,
}

/// Names the columns of [`Delivery`]: never `*`, which breaks prepared statements when a migration adds a column.
///
/// Two columns of the table, `content` and `headers_to`, are neither written nor read: what callers give is in
/// `emails.content`, whom it is shown to be for in `emails.recipients`. They stay, because steps only add, so that the
/// release before runs on while a newer one is rolled out.
macro_rules! delivery_columns {
    () => {
        "id, idempotency_key, template, sender, category, class, recipient, recipient_name, data, locale, calendar,
         booking_id, booking_version, booking_moves, send_at, email_id, subject, state, phase, release, attempts,
         message_id, mail_date, job_id, deadline, next_attempt_at, last_error, created_at, touched_at, sent_at,
         content_removed_at"
    };
}
pub(super) use delivery_columns;

impl Record for Delivery {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let time = |column| Ok::<_, StoreError>(row.get::<Option<At>>(column)?.map(|at| at.0));
        Ok(Self {
            id: row.get("id")?,
            idempotency_key: row.get("idempotency_key")?,
            template: row.get("template")?,
            sender: row.get("sender")?,
            category: row.get("category")?,
            class: row.get("class")?,
            recipient: row.get("recipient")?,
            recipient_name: row.get("recipient_name")?,
            data: row.get::<Json<serde_json::Value>>("data")?.0,
            locale: row.get("locale")?,
            calendar: row.get::<Option<Json<serde_json::Value>>>("calendar")?.map(|json| json.0),
            booking_id: row.get("booking_id")?,
            booking_version: row.get("booking_version")?,
            booking_moves: row.get("booking_moves")?,
            send_at: time("send_at")?,
            email_id: row.get("email_id")?,
            subject: row.get("subject")?,
            state: row.get("state")?,
            phase: row.get("phase")?,
            release: row.number("release")?,
            attempts: row.number("attempts")?,
            message_id: row.get("message_id")?,
            mail_date: time("mail_date")?,
            job_id: row.get("job_id")?,
            deadline: time("deadline")?,
            next_attempt_at: time("next_attempt_at")?,
            last_error: row.get("last_error")?,
            created_at: row.get::<At>("created_at")?.0,
            touched_at: row.get::<At>("touched_at")?.0,
            sent_at: time("sent_at")?,
            content_removed_at: time("content_removed_at")?,
        })
    }
}

/// What is needed to enqueue a mail's job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRef {
    /// The row's id.
    pub id: Uuid,
    /// What the mail is for.
    pub idempotency_key: String,
    /// The job that sends it.
    pub job_id: Uuid,
    /// How often it was set on its way again: part of the job's key.
    pub release: u32,
    /// Where it stands.
    pub state: DeliveryState,
    /// Before this it is not sent.
    pub send_at: Option<Timestamp>,
}

impl Record for DeliveryRef {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            idempotency_key: row.get("idempotency_key")?,
            job_id: row.get("job_id")?,
            release: row.number("release")?,
            state: row.get("state")?,
            send_at: row.get::<Option<At>>("send_at")?.map(|at| at.0),
        })
    }
}

/// An attempt that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its number, from 1.
    pub n: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// The relay that was spoken to.
    pub relay: Option<String>,
    /// Where in the conversation it ended.
    pub phase: Option<String>,
    /// The reply code (RFC 5321 §4.2).
    pub code: Option<u16>,
    /// The enhanced status code (RFC 3463).
    pub enhanced: Option<String>,
    /// The reply's text, or the error's.
    pub text: Option<String>,
    /// How long it took, to the millisecond.
    pub duration: Duration,
    /// How it ended.
    pub outcome: AttemptOutcome,
}

impl Record for Attempt {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            n: row.number("n")?,
            started_at: row.get::<At>("started_at")?.0,
            relay: row.get("relay")?,
            phase: row.get("phase")?,
            code: row.optional_number("code")?,
            enhanced: row.get("enhanced")?,
            text: row.get("text")?,
            duration: Duration::from_millis(row.number("duration_ms")?),
            outcome: row.get("outcome")?,
        })
    }
}
