//! What people and repaired domains do to a mail from outside of any attempt. Each deed is noted in the mail's history, in
//! the transaction that does it.

use jiff::Timestamp;
use uuid::Uuid;

use super::class::Class;
use super::history::Deed;
use super::record::DeliveryRef;
use super::state::DeliveryState;
use crate::db::{At, Record, Row, Session, Store};
use crate::error::StoreError;
use crate::people::ERASED_ADDRESS;
use crate::words::words;

/// How often a row that changes under our eyes is looked at again.
const LOOKS: usize = 8;

words! {
    /// What was done to a mail.
    pub enum Action {
        /// It was called off.
        Cancel = "cancel",
        /// It was set on its way again.
        Resend = "resend",
        /// Somebody found out that it arrived.
        ResolveSent = "resolve_sent",
        /// Somebody found out that it did not.
        ResolveFailed = "resolve_failed",
    }
}

/// Who does it.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// The id of the note in the history.
    pub id: Uuid,
    /// The API key's name, `command line` …
    pub actor: &'a str,
}

impl<'a> By<'a> {
    /// A person, or a program that acts for one.
    #[must_use]
    pub fn person(id: Uuid, actor: &'a str) -> Self {
        Self { id, actor }
    }
}

/// What came of an intervention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// It happened; the row as it is now.
    Done(DeliveryRef),
    /// The mail's state does not allow it; nothing changed.
    Refused(DeliveryState),
    /// There is nothing left that could be sent; nothing changed.
    Gone(Gone),
    /// There is no such mail.
    Missing,
}

/// Why a mail cannot be sent again, whatever its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// Its content was removed when its time was over, or erased with one of its readers.
    Content,
    /// Its recipient was erased.
    Recipient,
}

impl Gone {
    /// The reason, as it is told to whoever wanted it sent.
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::Content => {
                "what it said is no longer kept (ledger.retention.contents, or a person was erased): it cannot be sent again"
            }
            Self::Recipient => "its recipient was erased: it cannot be sent again",
        }
    }
}

/// A mail as it was found.
struct Found {
    state: DeliveryState,
    class: Class,
    deadline: Option<Timestamp>,
    gone: Option<Gone>,
}

impl Record for Found {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let deadline = row.get::<Option<At>>("deadline")?.map(Timestamp::from);
        let gone = match (row.get::<String>("recipient")?, row.get::<bool>("kept")?) {
            (erased, _) if erased == ERASED_ADDRESS => Some(Gone::Recipient),
            (_, false) => Some(Gone::Content),
            (_, true) => None,
        };
        Ok(Self { state: row.get("state")?, class: row.get("class")?, deadline, gone })
    }
}

/// What changes beside the state.
struct Change {
    action: Action,
    to: DeliveryState,
    /// The job of a release.
    job_id: Option<Uuid>,
}

impl Store {
    /// Calls a mail off. One that is being sent cannot be called off any more.
    ///
    /// # Errors
    /// As the database says.
    pub async fn cancel_delivery(&self, id: Uuid, by: By<'_>, now: Timestamp) -> Result<Moved, StoreError> {
        let change = Change { action: Action::Cancel, to: DeliveryState::Cancelled, job_id: None };
        self.intervene(id, DeliveryState::can_be_called_off, &change, by, now).await
    }

    /// Sets a mail on its way again, under a new job: enqueue it under the key and the release number that this answers.
    /// An attempt that still believes to have the mail no longer does. One of which nothing is left is [`Moved::Gone`].
    ///
    /// # Errors
    /// As the database says.
    pub async fn release_delivery(
        &self,
        id: Uuid,
        job_id: Uuid,
        by: By<'_>,
        now: Timestamp,
    ) -> Result<Moved, StoreError> {
        let change = Change { action: Action::Resend, to: DeliveryState::Queued, job_id: Some(job_id) };
        self.intervene(id, DeliveryState::can_be_released, &change, by, now).await
    }

    /// Says what became of a mail whose fate was unknown: it was `sent`, or it was not.
    ///
    /// # Errors
    /// As the database says.
    pub async fn resolve_delivery(
        &self,
        id: Uuid,
        sent: bool,
        by: By<'_>,
        now: Timestamp,
    ) -> Result<Moved, StoreError> {
        let (action, to) = match sent {
            true => (Action::ResolveSent, DeliveryState::Sent),
            false => (Action::ResolveFailed, DeliveryState::Failed),
        };
        let change = Change { action, to, job_id: None };
        self.intervene(id, |from| from == DeliveryState::Unknown, &change, by, now).await
    }

    /// Looks, and changes what was found, if nobody was faster.
    async fn intervene(
        &self,
        id: Uuid,
        may: impl Fn(DeliveryState) -> bool + Send,
        change: &Change,
        by: By<'_>,
        now: Timestamp,
    ) -> Result<Moved, StoreError> {
        for _ in 0..LOOKS {
            let mut transaction = self.begin().await?;
            let found: Option<Found> = transaction
                .sql(
                    "SELECT state, class, deadline, recipient,
                         content_removed_at IS NULL AND (email_id IS NULL OR EXISTS (
                             SELECT 1 FROM emails e WHERE e.id = email_id AND e.content IS NOT NULL)) AS kept
                     FROM deliveries WHERE id = $1",
                )
                .bind(id)
                .optional()
                .await?;
            let Some(found) = found else { return Ok(Moved::Missing) };
            let gone = found.gone.filter(|_| change.to == DeliveryState::Queued);
            match gone {
                // Whatever its state: there is nobody to send it to.
                Some(Gone::Recipient) => return Ok(Moved::Gone(Gone::Recipient)),
                _ if !may(found.state) => return Ok(Moved::Refused(found.state)),
                Some(Gone::Content) => return Ok(Moved::Gone(Gone::Content)),
                None => {}
            }
            if let Some(row) = moved(&mut transaction, id, &found, change, now).await? {
                let actor = by.actor.to_owned();
                let deed = Deed { at: now, action: change.action, found: found.state, actor };
                note(&mut transaction, by.id, id, &deed).await?;
                transaction.commit().await?;
                return Ok(Moved::Done(row));
            }
        }
        Err(StoreError::Contended)
    }
}

async fn moved(
    session: &mut Session,
    id: Uuid,
    found: &Found,
    change: &Change,
    now: Timestamp,
) -> Result<Option<DeliveryRef>, StoreError> {
    let released = change.to == DeliveryState::Queued;
    let worth = now.checked_add(found.class.worth()).unwrap_or(Timestamp::MAX);
    // Somebody wants it now: a deadline that is near or past is put off by what the mail's class is worth.
    let deadline = found.deadline.map(|deadline| if released { deadline.max(worth) } else { deadline });
    session
        .sql(
            "UPDATE deliveries
             SET state = $3, release = release + $4, job_id = COALESCE($5, job_id), sent_at = $6, deadline = $7,
                 lease_token = NULL, phase = NULL, next_attempt_at = NULL, job_ended = NULL, touched_at = $8,
                 sweep_from = $8
             WHERE id = $1 AND state = $2 AND ($4 = 0 OR content_removed_at IS NULL)
             RETURNING id, idempotency_key, job_id, release, state, send_at",
        )
        .bind(id)
        .bind(found.state)
        .bind(change.to)
        .bind(i64::from(released))
        .bind(change.job_id)
        .bind((change.to == DeliveryState::Sent).then_some(At(now)))
        .bind(deadline.map(At))
        .bind(At(now))
        .optional()
        .await
}

/// Writes a deed into a mail's history, under `id`.
pub(crate) async fn note(session: &mut Session, id: Uuid, delivery_id: Uuid, deed: &Deed) -> Result<(), StoreError> {
    session
        .sql(
            "INSERT INTO delivery_actions (id, delivery_id, at, action, found, actor)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(id)
        .bind(delivery_id)
        .bind(At(deed.at))
        .bind(deed.action)
        .bind(deed.found)
        .bind(deed.actor.as_str())
        .run()
        .await?;
    Ok(())
}
