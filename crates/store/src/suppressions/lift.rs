//! Lifting a suppression, and setting on their way again the mails that it held.

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::record::{Covers, Suppression, SuppressionReason, suppression_columns};
use crate::db::{At, Record, Row, Session, Store};
use crate::deliveries::{Category, DeliveryRef, recipient_key};
use crate::error::StoreError;

/// How many mails one lifting releases at most. Nobody has more that are still worth sending.
const MOST: i64 = 1_000;

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

struct InForce(Covers);

impl Record for InForce {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("covers")?))
    }
}

impl Store {
    /// Lifts suppressions. Mails that they held, that nothing else holds and that are still worth sending, are `queued`
    /// again, each under a job id from `new_job`; the caller enqueues them (and the sweep would).
    ///
    /// # Errors
    /// As the database says.
    pub async fn lift_suppressions(
        &self,
        which: &Which,
        actor: &str,
        new_job: impl Fn() -> Uuid,
        now: Timestamp,
    ) -> Result<Lifted, StoreError> {
        let mut session = self.begin().await?;
        let suppressions = lift(&mut session, which, actor, now).await?;
        let mut addresses: Vec<&str> = suppressions.iter().filter_map(|s| s.address.as_deref()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let mut released = Vec::new();
        for address in addresses {
            for held in no_longer_held(&mut session, address, now).await? {
                released.extend(release(&mut session, held, new_job(), now).await?);
            }
        }
        session.commit().await?;
        Ok(Lifted { suppressions, released })
    }
}

async fn lift(
    session: &mut Session,
    which: &Which,
    actor: &str,
    now: Timestamp,
) -> Result<Vec<Suppression>, StoreError> {
    let condition = match which {
        Which::Id(_) => "id = $3".to_owned(),
        Which::Address(_) => "address = $3".to_owned(),
        Which::Unsubscribed(_) => format!("address = $3 AND reason = '{}'", SuppressionReason::Unsubscribe),
    };
    let text = format!(
        "UPDATE suppressions SET lifted_at = $1, lifted_by = $2 WHERE lifted_at IS NULL AND {condition}
         RETURNING {}",
        suppression_columns!()
    );
    let statement = session.sql(AssertSqlSafe(text)).bind(At(now)).bind(actor);
    match which {
        Which::Id(id) => statement.bind(*id).all().await,
        Which::Address(address) | Which::Unsubscribed(address) => statement.bind(recipient_key(address)).all().await,
    }
}

async fn no_longer_held(session: &mut Session, address: &str, now: Timestamp) -> Result<Vec<Uuid>, StoreError> {
    let in_force: Vec<InForce> = session
        .sql("SELECT covers FROM suppressions WHERE address = $1 AND lifted_at IS NULL")
        .bind(address)
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
    job_id: Uuid,
    now: Timestamp,
) -> Result<Option<DeliveryRef>, StoreError> {
    session
        .sql(
            "UPDATE deliveries
             SET state = 'queued', release = release + 1, job_id = $2, lease_token = NULL, phase = NULL,
                 next_attempt_at = NULL, job_ended = NULL, touched_at = $3, sweep_from = $3
             WHERE id = $1 AND state = 'suppressed'
             RETURNING id, idempotency_key, job_id, release, state, send_at",
        )
        .bind(id)
        .bind(job_id)
        .bind(At(now))
        .optional()
        .await
}
