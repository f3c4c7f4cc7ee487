//! Where a person occurs.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::db::{Backend, Record, Row, Session};
use crate::deliveries::recipient_key;
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

struct Parties {
    id: String,
    student: String,
    instructor: String,
}

impl Record for Parties {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { id: row.get("id")?, student: row.get("student")?, instructor: row.get("instructor")? })
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
    let mut found: Vec<String> = found.into_iter().map(|found| found.0).collect();
    if !address.is_ascii() {
        for id in beyond_ascii(session, backend, address).await? {
            if !found.contains(&id) {
                found.push(id);
            }
        }
    }
    Ok(found)
}

/// The same for an address beyond ASCII, whose case the databases do not know: they are asked for the domain, and the rest
/// is compared here. No index serves this; such addresses are few, and so are people who are looked up.
async fn beyond_ascii(session: &mut Session, backend: Backend, address: &str) -> Result<Vec<String>, StoreError> {
    let (student, instructor) = match backend {
        Backend::Postgres => ("student->>'email'", "instructor->>'email'"),
        Backend::Sqlite => ("json_extract(student, '$.email')", "json_extract(instructor, '$.email')"),
    };
    let text = format!(
        "SELECT id, COALESCE({student}, '') AS student, COALESCE({instructor}, '') AS instructor FROM bookings
         WHERE lower({student}) LIKE $1 OR lower({instructor}) LIKE $1"
    );
    // A domain has no character that means something to LIKE.
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
    let near: Vec<Parties> = session.sql(AssertSqlSafe(text)).bind(format!("%@{domain}")).all().await?;
    let is_theirs = |parties: &Parties| {
        [&parties.student, &parties.instructor].map(|email| recipient_key(email)).contains(&address.to_owned())
    };
    Ok(near.into_iter().filter(is_theirs).map(|parties| parties.id).collect())
}

/// The mails to this address (lower case), oldest first.
pub(super) async fn mails(session: &mut Session, address: &str) -> Result<Vec<MailId>, StoreError> {
    session
        .sql("SELECT id, email_id FROM deliveries WHERE recipient_key = $1 ORDER BY created_at, id")
        .bind(address)
        .all()
        .await
}
