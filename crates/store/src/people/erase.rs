//! Erasing a person, in one transaction.

use jiff::Timestamp;
use sqlx::types::Json;
use uuid::Uuid;

use super::ERASED_ADDRESS;
use super::find::{self, MailId};
use super::scrub::{Traces, nobody};
use crate::bookings::{Party, Snapshot};
use crate::db::{At, Record, Row, Session, Store};
use crate::deliveries::recipient_key;
use crate::emails::EmailRecipients;
use crate::error::StoreError;

/// How much was found and erased.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    /// Bookings that they were a party of.
    pub bookings: u64,
    /// Mails to them.
    pub deliveries: u64,
    /// Of these, mails that had not been sent and are called off.
    pub cancelled: u64,
    /// Calls of `POST /v1/emails` that named them.
    pub emails: u64,
    /// Suppressions, of which the keyed hash is kept.
    pub suppressions: u64,
}

struct Parties {
    student: Party,
    instructor: Party,
    reason: Option<String>,
}

impl Record for Parties {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            student: row.get::<Json<Party>>("student")?.0,
            instructor: row.get::<Json<Party>>("instructor")?.0,
            reason: row.get("reason")?,
        })
    }
}

struct EventBody {
    version: i64,
    snapshot: Snapshot,
}

impl Record for EventBody {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { version: row.get("version")?, snapshot: row.get::<Json<Snapshot>>("snapshot")?.0 })
    }
}

struct MailBody {
    id: Uuid,
    data: serde_json::Value,
    calendar: Option<serde_json::Value>,
    subject: Option<String>,
}

impl Record for MailBody {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let json = |column| Ok::<_, StoreError>(row.get::<Option<Json<serde_json::Value>>>(column)?.map(|json| json.0));
        Ok(Self {
            id: row.get("id")?,
            data: row.get::<Json<serde_json::Value>>("data")?.0,
            calendar: json("calendar")?,
            subject: row.get("subject")?,
        })
    }
}

struct Recipients(EmailRecipients);

impl Record for Recipients {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get::<Json<EmailRecipients>>("recipients")?.0))
    }
}

impl Store {
    /// Erases the person with this address. `hash` stands for the address from then on, where it must not be written to.
    /// Mails to them that wait are called off. Idempotency keys, states and times stay.
    ///
    /// # Errors
    /// As the database says; then nothing was erased.
    pub async fn erase_person(&self, address: &str, hash: &str, now: Timestamp) -> Result<Erased, StoreError> {
        let address = recipient_key(address);
        let backend = self.backend();
        let mut session = self.begin().await?;
        let mut traces = Traces::new(&address);
        let bookings = find::bookings(&mut session, backend, &address).await?;
        for id in &bookings {
            booking(&mut session, id, &mut traces).await?;
        }
        let mails = find::mails(&mut session, &address).await?;
        let mut erased =
            Erased { bookings: bookings.len() as u64, deliveries: mails.len() as u64, ..Erased::default() };
        erased.cancelled = own_mails(&mut session, &address, now).await?;
        for id in &bookings {
            let others = session
                .sql("SELECT id, data, calendar, subject FROM deliveries WHERE booking_id = $1")
                .bind(id.as_str())
                .all()
                .await?;
            others_mails(&mut session, others, &traces).await?;
        }
        let mut emails: Vec<Uuid> = mails.iter().filter_map(|MailId { email_id, .. }| *email_id).collect();
        emails.sort_unstable();
        emails.dedup();
        for id in &emails {
            email(&mut session, *id, &traces).await?;
        }
        erased.emails = emails.len() as u64;
        erased.suppressions = session
            .sql("UPDATE suppressions SET address = NULL, address_hash = $2, detail = NULL WHERE address = $1")
            .bind(address.as_str())
            .bind(hash)
            .run()
            .await?;
        session.commit().await?;
        Ok(erased)
    }
}

/// Takes the person out of a booking and of all that was reported about it, and learns what they are called.
async fn booking(session: &mut Session, id: &str, traces: &mut Traces) -> Result<(), StoreError> {
    let events: Vec<EventBody> =
        session.sql("SELECT version, snapshot FROM booking_events WHERE booking_id = $1").bind(id).all().await?;
    let newest: Option<Parties> =
        session.sql("SELECT student, instructor, reason FROM bookings WHERE id = $1").bind(id).optional().await?;
    let reported = events.iter().flat_map(|event| [&event.snapshot.student, &event.snapshot.instructor]);
    for party in reported.chain(newest.iter().flat_map(|newest| [&newest.student, &newest.instructor])) {
        if traces.is(party) {
            traces.learn(&party.name);
        }
    }
    for EventBody { version, mut snapshot } in events {
        parties_out(&mut snapshot.student, &mut snapshot.instructor, &mut snapshot.reason, traces);
        session
            .sql("UPDATE booking_events SET snapshot = $3, failure = NULL WHERE booking_id = $1 AND version = $2")
            .bind(id)
            .bind(version)
            .bind(Json(&snapshot))
            .run()
            .await?;
    }
    if let Some(Parties { mut student, mut instructor, mut reason }) = newest {
        parties_out(&mut student, &mut instructor, &mut reason, traces);
        session
            .sql("UPDATE bookings SET student = $2, instructor = $3, reason = $4 WHERE id = $1")
            .bind(id)
            .bind(Json(&student))
            .bind(Json(&instructor))
            .bind(reason.as_deref())
            .run()
            .await?;
    }
    Ok(())
}

fn parties_out(student: &mut Party, instructor: &mut Party, reason: &mut Option<String>, traces: &Traces) {
    for party in [student, instructor] {
        if traces.is(party) {
            *party = nobody(party);
        }
    }
    if let Some(left) = reason.as_deref().and_then(|reason| traces.out_of(reason)) {
        *reason = Some(left);
    }
}

/// Empties the person's own mails; answers how many had not been sent and are called off. One that is being sent this very
/// moment is not taken back.
async fn own_mails(session: &mut Session, address: &str, now: Timestamp) -> Result<u64, StoreError> {
    // First of all, for it locks the rows: an attempt that ends at this moment waits, and then finds nobody to write of.
    session.sql("UPDATE deliveries SET last_error = NULL WHERE recipient_key = $1").bind(address).run().await?;
    for table in ["delivery_attempts", "delivery_events"] {
        session
            .sql(sqlx::AssertSqlSafe(format!(
                "UPDATE {table} SET text = NULL
                 WHERE delivery_id IN (SELECT id FROM deliveries WHERE recipient_key = $1)"
            )))
            .bind(address)
            .run()
            .await?;
    }
    let cancelled = session
        .sql(
            "UPDATE deliveries SET state = 'cancelled', phase = NULL, lease_token = NULL, next_attempt_at = NULL,
                 job_ended = NULL, touched_at = $2
             WHERE recipient_key = $1 AND state NOT IN ('sent', 'sending', 'cancelled')",
        )
        .bind(address)
        .bind(At(now))
        .run()
        .await?;
    session
        .sql(
            "UPDATE deliveries SET recipient = $2, recipient_key = $2, recipient_name = NULL, data = $3, subject = NULL,
                 calendar = NULL, last_error = NULL, locale = NULL
             WHERE recipient_key = $1",
        )
        .bind(address)
        .bind(ERASED_ADDRESS)
        .bind(Json(serde_json::json!({})))
        .run()
        .await?;
    Ok(cancelled)
}

/// Takes the person out of what others were written.
async fn others_mails(session: &mut Session, mails: Vec<MailBody>, traces: &Traces) -> Result<(), StoreError> {
    for MailBody { id, mut data, mut calendar, mut subject } in mails {
        let mut changed = traces.out_of_json(&mut data);
        if let Some(calendar) = &mut calendar {
            changed |= traces.out_of_json(calendar);
        }
        if let Some(left) = subject.as_deref().and_then(|subject| traces.out_of(subject)) {
            subject = Some(left);
            changed = true;
        }
        if changed {
            session
                .sql("UPDATE deliveries SET data = $2, calendar = $3, subject = $4 WHERE id = $1")
                .bind(id)
                .bind(Json(&data))
                .bind(calendar.as_ref().map(Json))
                .bind(subject.as_deref())
                .run()
                .await?;
        }
    }
    Ok(())
}

/// Takes the person out of an email: out of its recipients, and out of what the others see. What it says goes when nobody
/// waits for it any more.
async fn email(session: &mut Session, id: Uuid, traces: &Traces) -> Result<(), StoreError> {
    let found: Option<Recipients> =
        session.sql("SELECT recipients FROM emails WHERE id = $1").bind(id).optional().await?;
    let Some(Recipients(mut recipients)) = found else { return Ok(()) };
    for list in [&mut recipients.to, &mut recipients.cc, &mut recipients.bcc] {
        list.retain(|recipient| traces.out_of(recipient).is_none());
    }
    session.sql("UPDATE emails SET recipients = $2 WHERE id = $1").bind(id).bind(Json(&recipients)).run().await?;
    session
        .sql(
            "UPDATE emails SET content = NULL
             WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE email_id = $1
                                           AND state NOT IN ('sent', 'cancelled', 'expired'))",
        )
        .bind(id)
        .run()
        .await?;
    let others: Vec<MailBody> =
        session.sql("SELECT id, data, calendar, subject FROM deliveries WHERE email_id = $1").bind(id).all().await?;
    others_mails(session, others, traces).await
}
