//! `GET /v1/bookings/{id}`: the booking as the last event left it, its reminders, and the mails because of
//! it.

use axum::Json;
use axum::extract::State as Shared;
use jiff::Timestamp;
use serde::Serialize;
use store::{Booking, BookingStatus, CancelledBy, DeliveryFilter};
use utoipa::ToSchema;

use super::reminders::{self, ReminderView};
use super::text::is_id;
use crate::auth::{BookingsRead, Caller};
use crate::error::{ApiError, Problem};
use crate::query::{Params, Path};
use crate::routes::deliveries::DeliverySummary;
use crate::state::State;

/// The most deliveries that are shown with a booking; all are at `/v1/deliveries?booking=`.
const MOST_DELIVERIES: u32 = 100;

/// A booking.
#[derive(Debug, Serialize, ToSchema)]
pub struct BookingView {
    /// Its id.
    id: String,
    /// The version of the last event that was applied.
    version: i64,
    /// confirmed, cancelled, completed or no_show.
    #[schema(value_type = String, example = "confirmed")]
    status: BookingStatus,
    /// How often its start was moved.
    moves: i64,
    /// The sequence number of its calendar entry (RFC 5545 §3.8.7.4).
    sequence: u32,
    /// What was booked.
    service: String,
    /// When it starts.
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    /// How long it takes.
    duration_minutes: u32,
    /// Where it takes place.
    location: Option<String>,
    /// Where it takes place online.
    url: Option<String>,
    /// What it costs.
    price: Option<PriceView>,
    /// Who learns.
    student: PartyView,
    /// Who teaches.
    instructor: PartyView,
    /// Why it was changed.
    reason: Option<String>,
    /// Who called it off.
    #[schema(value_type = Option<String>)]
    cancelled_by: Option<CancelledBy>,
    /// How long before the start to remind, where the booking says so itself.
    reminder_offsets: Option<Vec<String>>,
    /// When the last event was applied.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// The reminders of its start, the earliest first.
    reminders: Vec<ReminderView>,
    /// The mails because of it, newest first, at most 100.
    deliveries: Vec<DeliverySummary>,
}

/// A price.
#[derive(Debug, Serialize, ToSchema)]
pub struct PriceView {
    /// A decimal number as text.
    amount: String,
    /// ISO 4217.
    currency: String,
}

/// A person of the booking.
#[derive(Debug, Serialize, ToSchema)]
pub struct PartyView {
    /// The person's id at the caller's.
    id: String,
    /// The name.
    name: String,
    /// The e-mail address.
    email: String,
    /// The IANA time zone.
    timezone: String,
    /// The language.
    locale: Option<String>,
}

impl From<store::Party> for PartyView {
    fn from(p: store::Party) -> Self {
        Self { id: p.id, name: p.name, email: p.email, timezone: p.timezone, locale: p.locale }
    }
}

impl BookingView {
    fn new(b: Booking, reminders: Vec<ReminderView>, deliveries: Vec<DeliverySummary>) -> Self {
        Self {
            id: b.id,
            version: b.version,
            status: b.status,
            moves: b.moves,
            sequence: b.sequence,
            service: b.service,
            starts_at: b.starts_at,
            duration_minutes: b.duration_minutes,
            location: b.location,
            url: b.url,
            price: b.price.map(|price| PriceView { amount: price.amount, currency: price.currency }),
            student: b.student.into(),
            instructor: b.instructor.into(),
            reason: b.reason,
            cancelled_by: b.cancelled_by,
            reminder_offsets: b.reminders,
            updated_at: b.updated_at,
            reminders,
            deliveries,
        }
    }
}

/// Look at a booking
///
/// As the last applied event left it, with its reminders and the mails because of it. An event is applied within moments of its 202.
#[utoipa::path(
    get, path = "/v1/bookings/{id}", tag = "bookings", operation_id = "getBooking",
    params(("id" = String, Path, description = "The booking's id")),
    responses(
        (status = 200, description = "The booking", body = BookingView),
        (status = 404, description = "No event of this booking was applied yet", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn show(
    Shared(state): Shared<State>,
    _: Caller<BookingsRead>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<BookingView>, ApiError> {
    params.end()?;
    let no_such = || ApiError::not_found("No event of a booking with this id was applied yet.");
    if !is_id(&id) {
        return Err(no_such());
    }
    let booking = state.store.get_booking(&id).await?.ok_or_else(no_such)?;
    let filter = DeliveryFilter { booking_id: Some(id), ..DeliveryFilter::default() };
    let deliveries = state.store.list_deliveries(&filter, MOST_DELIVERIES, None).await?;
    let reminders = reminders::of(&state, &booking, state.clock.now()).await?;
    Ok(Json(BookingView::new(booking, reminders, deliveries.items.into_iter().map(DeliverySummary::from).collect())))
}
