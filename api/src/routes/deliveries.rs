//! `/v1/deliveries`: what became of every mail, attempt by attempt.

use axum::Json;
use axum::extract::State as Shared;
use jiff::Timestamp;
use mail::EmailAddress;
use serde::Serialize;
use store::{
    Attempt, AttemptOutcome, Category, Class, Delivery, DeliveryEvent, DeliveryEventKind, DeliveryFilter, DeliveryState,
};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::bookings::is_id;
use crate::auth::{Caller, DeliveriesRead};
use crate::error::{ApiError, Problem};
use crate::list::List;
use crate::query::{Params, Path};
use crate::state::State;

/// The routes.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

/// A mail to one person.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliverySummary {
    /// The delivery's id.
    #[schema(value_type = String, format = Uuid)]
    id: Uuid,
    /// queued, sending, sent, deferred, held, suppressed, cancelled, expired, failed or unknown.
    #[schema(value_type = String, example = "sent")]
    state: DeliveryState,
    /// The booking it is about.
    booking_id: Option<String>,
    /// The template it was made from.
    template: String,
    /// The sender profile.
    sender: String,
    /// What it is to its reader: booking, account, security, alert or report.
    #[schema(value_type = String, example = "booking")]
    category: Category,
    /// How it is sent: booking, account, alert or report.
    #[schema(value_type = String, example = "booking")]
    class: Class,
    /// The address.
    recipient: String,
    /// The name beside it.
    recipient_name: Option<String>,
    /// The subject, once it was rendered.
    subject: Option<String>,
    /// The Message-ID, once it was sent.
    message_id: Option<String>,
    /// What it is kept unique by.
    idempotency_key: String,
    /// The job that sends it.
    #[schema(value_type = String, format = Uuid)]
    job_id: Uuid,
    /// How often sending was begun.
    attempt_count: u32,
    /// Why the latest attempt did not send it.
    last_error: Option<String>,
    /// When it is tried next.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<Timestamp>,
    /// After this instant it is not sent any more.
    #[schema(value_type = Option<String>, format = DateTime)]
    deadline: Option<Timestamp>,
    /// When it was decided.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When the relay took it.
    #[schema(value_type = Option<String>, format = DateTime)]
    sent_at: Option<Timestamp>,
}

impl From<Delivery> for DeliverySummary {
    fn from(d: Delivery) -> Self {
        Self {
            id: d.id,
            state: d.state,
            booking_id: d.booking_id,
            template: d.template,
            sender: d.sender,
            category: d.category,
            class: d.class,
            recipient: d.recipient,
            recipient_name: d.recipient_name,
            subject: d.subject,
            message_id: d.message_id,
            idempotency_key: d.idempotency_key,
            job_id: d.job_id,
            attempt_count: d.attempts,
            last_error: d.last_error,
            next_attempt_at: d.next_attempt_at,
            deadline: d.deadline,
            created_at: d.created_at,
            sent_at: d.sent_at,
        }
    }
}

/// A mail to one person, with its whole history.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// The delivery, as in lists.
    #[serde(flatten)]
    summary: DeliverySummary,
    /// Each attempt, oldest first.
    attempts: Vec<AttemptView>,
    /// What was learned about it besides: bounces and complaints that came back, and the like.
    events: Vec<EventView>,
}

/// Something that was learned about a mail outside of its attempts.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventView {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// bounce, delayed, delivered, complaint, unsubscribe or redirected.
    #[schema(value_type = String, example = "bounce")]
    kind: DeliveryEventKind,
    /// Whether the report proved that it is about this mail. Nothing is done upon one that did not.
    verified: bool,
    /// The status code (RFC 3463).
    status: Option<String>,
    /// What was said.
    text: Option<String>,
}

impl From<DeliveryEvent> for EventView {
    fn from(e: DeliveryEvent) -> Self {
        Self { at: e.at, kind: e.kind, verified: e.verified, status: e.status, text: e.text }
    }
}

/// One attempt to hand the mail to a relay.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptView {
    /// Its number, from 1.
    n: u32,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// The relay.
    relay: Option<String>,
    /// How far it came: connect, ehlo, auth, mail, rcpt, data, body or dot.
    phase: Option<String>,
    /// The relay's reply code.
    code: Option<u16>,
    /// The enhanced status code (RFC 3463).
    enhanced: Option<String>,
    /// The relay's words, or the reason.
    text: Option<String>,
    /// How long it took.
    duration_ms: u64,
    /// sent, deferred, failed, unknown, expired, held, suppressed, cancelled or lost.
    #[schema(value_type = String, example = "sent")]
    outcome: AttemptOutcome,
}

impl From<Attempt> for AttemptView {
    fn from(a: Attempt) -> Self {
        Self {
            n: a.n,
            started_at: a.started_at,
            relay: a.relay,
            phase: a.phase,
            code: a.code,
            enhanced: a.enhanced,
            text: a.text,
            duration_ms: u64::try_from(a.duration.as_millis()).unwrap_or(u64::MAX),
            outcome: a.outcome,
        }
    }
}

/// List deliveries
///
/// Newest first.
#[utoipa::path(
    get, path = "/v1/deliveries", tag = "deliveries", operation_id = "listDeliveries",
    params(
        ("recipient" = Option<String>, Query, description = "Only to this address"),
        ("booking" = Option<String>, Query, description = "Only because of this booking"),
        ("state" = Option<String>, Query, description = "queued, sending, sent, deferred, held, suppressed, cancelled, expired, failed or unknown"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 unless said otherwise"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of deliveries", body = List<DeliverySummary>),
        (status = 422, description = "A parameter makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list(
    Shared(state): Shared<State>,
    _: Caller<DeliveriesRead>,
    mut params: Params,
) -> Result<Json<List<DeliverySummary>>, ApiError> {
    let recipient = params.parsed::<EmailAddress>("recipient")?.map(|address| address.as_str().to_owned());
    let booking_id = params.text("booking")?;
    if booking_id.as_deref().is_some_and(|id| !is_id(id)) {
        return Err(ApiError::invalid("booking", "1 to 128 of A-Z a-z 0-9 . _ ~ - are expected"));
    }
    let filter = DeliveryFilter { recipient, booking_id, state: params.parsed::<DeliveryState>("state")? };
    let (limit, cursor) = params.page()?;
    params.end()?;
    let page = state.store.list_deliveries(&filter, limit, cursor.as_deref()).await?;
    Ok(List::answer(page.items.into_iter().map(DeliverySummary::from).collect(), page.next_cursor))
}

/// Look at a delivery
///
/// With each attempt: relay, phase, code and text.
#[utoipa::path(
    get, path = "/v1/deliveries/{id}", tag = "deliveries", operation_id = "getDelivery",
    params(("id" = String, Path, description = "The delivery's id, a UUID")),
    responses(
        (status = 200, description = "The delivery", body = DeliveryView),
        (status = 404, description = "No such delivery", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn show(
    Shared(state): Shared<State>,
    _: Caller<DeliveriesRead>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<DeliveryView>, ApiError> {
    params.end()?;
    let no_such = || ApiError::not_found("There is no delivery of this id.");
    let id = Uuid::try_parse(&id).map_err(|_| no_such())?;
    let (delivery, attempts) = state.store.get_delivery(id).await?.ok_or_else(no_such)?;
    let attempts = attempts.into_iter().map(AttemptView::from).collect();
    let events = state.store.delivery_events(id).await?.into_iter().map(EventView::from).collect();
    Ok(Json(DeliveryView { summary: delivery.into(), attempts, events }))
}
