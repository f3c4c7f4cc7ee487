//! From a checked order to rows and jobs.

use jiff::Timestamp;
use job::Job;
use job::clock::after;
use queue::Enqueue;
use secrets::Purpose;
use store::{DeliveryRef, EmailAccepted, NewDelivery, NewEmail};
use uuid::Uuid;
use worker::email_content::{GIVEN, seal};
use worker::jobs::email_send::EmailSend;

use super::order::Checked;
use crate::enqueue::enqueue_written;
use crate::error::ApiError;
use crate::idempotency;
use crate::state::State;

/// What was accepted.
pub(super) struct Taken {
    pub id: Uuid,
    pub deliveries: Vec<DeliveryRef>,
    pub duplicate: bool,
}

/// A call's idempotency key, scoped to its caller and route, and the digest of what was asked for.
#[derive(Clone, Copy)]
pub(super) struct Once<'a> {
    pub key: Option<&'a str>,
    pub digest: [u8; 32],
}

/// Writes the email and its deliveries, then enqueues them. Once written it is accepted, even if the queue is away: a sweep
/// enqueues it, and a caller who were told to come again would have it sent twice.
pub(super) async fn accept(state: &State, order: Checked, once: Once<'_>, now: Timestamp) -> Result<Taken, ApiError> {
    let ring = state.ring()?;
    let id = new_id(state);
    let from = order.send_at.unwrap_or(now);
    let template = order.template.clone().unwrap_or_else(|| GIVEN.to_owned());
    let deliveries = order.people.iter().enumerate().map(|(n, person)| NewDelivery {
        recipient_name: person.name().map(str::to_owned),
        locale: order.locale.clone(),
        email_id: Some(id),
        deadline: Some(after(from, order.category.class().worth())),
        ..NewDelivery::new(
            new_id(state),
            format!("email:{id}:{n}"),
            order.category,
            template.as_str(),
            order.sender.as_str(),
            person.address().as_str(),
        )
    });
    let new = NewEmail {
        id,
        idempotency_key: once.key.map(str::to_owned),
        payload_hashes: ring.pseudonyms(Purpose::Payload, &once.digest).collect(),
        content: seal(ring, id, &order.content),
        deliveries: deliveries.collect(),
        sender: order.sender,
        template: order.template,
        recipients: order.recipients,
        tags: order.tags,
        send_at: order.send_at,
    };
    let (taken, send_at) = match state.store.accept_email(&new, now).await? {
        EmailAccepted::New(deliveries) => (Taken { id, deliveries, duplicate: false }, new.send_at),
        EmailAccepted::Duplicate { id, deliveries, send_at } => (Taken { id, deliveries, duplicate: true }, send_at),
        EmailAccepted::Conflict => return Err(idempotency::conflict()),
    };
    let jobs: Vec<Enqueue> = taken
        .deliveries
        .iter()
        .filter(|row| !row.state.is_terminal())
        .map(|row| {
            let mut job = worker::intents::delivery(row, now);
            job.run_at = send_at.unwrap_or(job.run_at);
            job.into()
        })
        .collect();
    enqueue_written(state, &jobs).await?;
    Ok(taken)
}

fn new_id(state: &State) -> Uuid {
    state.new_id(&EmailSend::queue()).uuid()
}
