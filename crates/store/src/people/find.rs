//! Where a person occurs.

use uuid::Uuid;

use crate::db::{Backend, Record, Row, Session};
use crate::error::StoreError;

/// A booking's id.
pub(super) struct BookingId(pub(super) String);

impl Record for BookingId {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("id")?))
    }
}

/// A mail's id, and the email that it belongs to.
pub(super) struct MailId {
    pub(super) id: Uuid,
    pub(super) email_id: Option<Uuid>,
}

impl Record for MailId {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { id: row.get("id")?, email_id: row.get("email_id")? })
    }
}

/// The bookings that the person with this address (lower case) is or was a party of.
pub(super) async fn bookings(
    session: &mut Session,
    backend: Backend,
    address: &str,
) -> Result<Vec<String>, StoreError> {
    // The expressions are those of the indexes.
    let text = match backend {
        Backend::Postgres => {
            "SELECT id FROM bookings WHERE lower(student->>'email') = $1
             UNION SELECT id FROM bookings WHERE lower(instructor->>'email') = $1
             UNION SELECT booking_id AS id FROM deliveries WHERE recipient_key = $1 AND booking_id IS NOT NULL"
        }
        Backend::Sqlite => {
            "SELECT id FROM bookings WHERE lower(json_extract(student, '$.email')) = $1
             UNION SELECT id FROM bookings WHERE lower(json_extract(instructor, '$.email')) = $1
             UNION SELECT booking_id AS id FROM deliveries WHERE recipient_key = $1 AND booking_id IS NOT NULL"
        }
    };
    let found: Vec<BookingId> = session.sql(text).bind(address).all().await?;
    Ok(found.into_iter().map(|found| found.0).collect())
}

/// The mails to this address (lower case), oldest first.
pub(super) async fn mails(session: &mut Session, address: &str) -> Result<Vec<MailId>, StoreError> {
    session
        .sql("SELECT id, email_id FROM deliveries WHERE recipient_key = $1 ORDER BY created_at, id")
        .bind(address)
        .all()
        .await
}
