//! Lifting a suppression, and setting on their way again the mails that it held; each deed is noted in the mail's history.

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::types::Json;
use uuid::Uuid;

use super::record::{Covers, Suppression, SuppressionReason, suppression_columns};
use crate::db::{At, Backend, Record, Row, Session, Store};
use crate::deliveries::{Action, Category, Deed, DeliveryRef, DeliveryState, note, recipient_key};
use crate::error::StoreError;

/// How many mails one lifting releases at most. Nobody has more that are still worth sending.
const MOST: i64 = 1_000;

/// How many readers of mails that are held are looked at, where only the hash of an erased one is known.
const READERS: i64 = 20_000;

/// What to lift.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// This one.
    Id(Uuid),
    /// All that an address has.
    Address(String),
    /// Only what the reader did: their unsubscription.
    Unsubscribed(String),
}

/// What was lifted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lifted {
    /// The suppressions that were in force until now.
    pub suppressions: Vec<Suppression>,
    /// The mails that are queued again: enqueue each under its id and release number.
    pub released: Vec<DeliveryRef>,
}

/// Who lifts, and with what.
pub struct Lifting<'a> {
    /// The API key's name, `the command line`, the reader.
    pub actor: &'a str,
    /// What may stand for an address in lower case once it was erased: one hash a key that may have made one.
    pub shadows: &'a (dyn Fn(&str) -> Vec<String> + Sync),
    /// Makes ids: of jobs, and of notes in the history.
    pub new_id: &'a (dyn Fn() -> Uuid + Sync),
}

/// A mail that was held, and what it is to its reader.
struct Held {
    id: Uuid,
    category: Category,
}

impl Record for Held {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { id: row.get("id")?, category: row.get("category")? })
    }
}

/// A suppression that was in force until now, and the hash of its address.
struct Ended {
    suppression: Suppression,
    hash: Option<String>,
}

impl Record for Ended {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { suppression: Suppression::read(row)?, hash: row.get("address_hash")? })
    }
}

struct Reader(String);

impl Record for Reader {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("recipient_key")?))
    }
}

struct InForce(Covers);

impl Record for InForce {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("covers")?))
    }
}

impl Store {
    /// Lifts suppressions. Mails that they held, that nothing else holds and that are still worth sending, are `queued`
    /// again, each under a job id of its own; the caller enqueues them (and the sweep would).
    ///
    /// # Errors
    /// As the database says.
    pub async fn lift_suppressions(
        &self,
        which: &Which,
        by: &Lifting<'_>,
        now: Timestamp,
    ) -> Result<Lifted, StoreError> {
        let mut session = self.begin().await?;
        let backend = self.backend();
        let ended = lift(&mut session, backend, which, by, now).await?;
        let mut addresses: Vec<String> = ended.iter().filter_map(|ended| ended.suppression.address.clone()).collect();
        let erased: Vec<&str> = ended
            .iter()
            .filter(|ended| ended.suppression.address.is_none())
            .filter_map(|ended| ended.hash.as_deref())
            .collect();
        if !erased.is_empty() {
            match which {
                Which::Address(address) | Which::Unsubscribed(address) => addresses.push(recipient_key(address)),
                Which::Id(_) => addresses.extend(readers(&mut session, &erased, by, now).await?),
            }
        }
        addresses.sort_unstable();
        addresses.dedup();
        let mut released = Vec::new();
        for address in addresses {
            let shadows = (by.shadows)(&address);
            for held in no_longer_held(&mut session, backend, &address, &shadows, now).await? {
                released.extend(release(&mut session, held, by, now).await?);
            }
        }
        session.commit().await?;
        Ok(Lifted { suppressions: ended.into_iter().map(|ended| ended.suppression).collect(), released })
    }
}

async fn lift(
    session: &mut Session,
    backend: Backend,
    which: &Which,
    by: &Lifting<'_>,
    now: Timestamp,
) -> Result<Vec<Ended>, StoreError> {
    let whose = whose(backend, "$3", "$4");
    let condition = match which {
        Which::Id(_) => "id = $3".to_owned(),
        Which::Address(_) => whose,
        Which::Unsubscribed(_) => format!("{whose} AND reason = '{}'", SuppressionReason::Unsubscribe),
    };
    let text = format!(
        "UPDATE suppressions SET lifted_at = $1, lifted_by = $2 WHERE lifted_at IS NULL AND {condition}
         RETURNING {}, address_hash",
        suppression_columns!()
    );
    let statement = session.sql(AssertSqlSafe(text)).bind(At(now)).bind(by.actor);
    match which {
        Which::Id(id) => statement.bind(*id).all().await,
        Which::Address(address) | Which::Unsubscribed(address) => {
            let address = recipient_key(address);
            let shadows = (by.shadows)(&address);
            statement.bind(address).bind(Json(shadows)).all().await
        }
    }
}

/// Meets the suppressions of an address, and those of which only a hash is left.
pub(super) fn whose(backend: Backend, address: &str, shadows: &str) -> String {
    let each = backend.each_text();
    format!("(address = {address} OR (address IS NULL AND address_hash IN (SELECT value FROM {each}({shadows}))))")
}

/// The readers of mails that are held, of whom these are the hashes.
async fn readers(
    session: &mut Session,
    hashes: &[&str],
    by: &Lifting<'_>,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let readers: Vec<Reader> = session
        .sql(
            "SELECT DISTINCT recipient_key FROM deliveries
             WHERE state = 'suppressed' AND (deadline IS NULL OR deadline > $1) LIMIT $2",
        )
        .bind(At(now))
        .bind(READERS)
        .all()
        .await?;
    let is_one = |reader: &Reader| (by.shadows)(&reader.0).iter().any(|shadow| hashes.contains(&shadow.as_str()));
    Ok(readers.into_iter().filter(is_one).map(|Reader(address)| address).collect())
}

async fn no_longer_held(
    session: &mut Session,
    backend: Backend,
    address: &str,
    shadows: &[String],
    now: Timestamp,
) -> Result<Vec<Uuid>, StoreError> {
    let whose = whose(backend, "$1", "$2");
    let in_force: Vec<InForce> = session
        .sql(AssertSqlSafe(format!("SELECT covers FROM suppressions WHERE lifted_at IS NULL AND {whose}")))
        .bind(address)
        .bind(Json(shadows))
        .all()
        .await?;
    let held: Vec<Held> = session
        .sql(
            "SELECT id, category FROM deliveries
             WHERE recipient_key = $1 AND state = 'suppressed' AND (deadline IS NULL OR deadline > $2)
             ORDER BY created_at, id LIMIT $3",
        )
        .bind(address)
        .bind(At(now))
        .bind(MOST)
        .all()
        .await?;
    let free = |mail: &Held| !in_force.iter().any(|InForce(covers)| covers.includes(mail.category));
    Ok(held.into_iter().filter(free).map(|mail| mail.id).collect())
}

async fn release(
    session: &mut Session,
    id: Uuid,
    by: &Lifting<'_>,
    now: Timestamp,
) -> Result<Option<DeliveryRef>, StoreError> {
    let released = session
        .sql(
            "UPDATE deliveries
             SET state = 'queued', release = release + 1, job_id = $2, lease_token = NULL, phase = NULL,
                 next_attempt_at = NULL, job_ended = NULL, touched_at = $3, sweep_from = $3
             WHERE id = $1 AND state = 'suppressed'
             RETURNING id, idempotency_key, job_id, release, state, send_at",
        )
        .bind(id)
        .bind((by.new_id)())
        .bind(At(now))
        .optional()
        .await?;
    if released.is_some() {
        let actor = format!("{}, by lifting a suppression", by.actor);
        let deed = Deed { at: now, action: Action::Resend, found: DeliveryState::Suppressed, actor };
        note(session, (by.new_id)(), id, &deed).await?;
    }
    Ok(released)
}
