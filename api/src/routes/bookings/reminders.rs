//! The reminders of a booking, as they are shown with it: those that are to come, and what became of the others.

use jiff::Timestamp;
use serde::Serialize;
use store::{Booking, BookingStatus};
use utoipa::ToSchema;
use uuid::Uuid;
use worker::bookings::{Role, plan, remind};

use crate::error::ApiError;
use crate::state::State;

/// A reminder to one of the two.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReminderView {
    /// How long before the start.
    #[schema(example = "24h")]
    offset: String,
    /// student or instructor.
    #[schema(example = "student")]
    role: &'static str,
    /// When it is due.
    #[schema(value_type = String, format = DateTime)]
    due_at: Timestamp,
    /// scheduled; due: the next scan takes it; skipped: it was due before this start became known; missed: nobody scanned
    /// until it was too late; ended: the booking does not take place. Once its mail is written, the state of that: queued,
    /// sent, cancelled …
    #[schema(example = "scheduled")]
    state: &'static str,
    /// Its mail, once it is written.
    #[schema(value_type = Option<String>, format = Uuid)]
    delivery_id: Option<Uuid>,
}

/// The reminders of the booking's start, the earliest first.
pub async fn of(state: &State, booking: &Booking, now: Timestamp) -> Result<Vec<ReminderView>, ApiError> {
    let offsets = &state.bookings.offsets;
    let all: Vec<(plan::Due, Role)> =
        plan::for_start(booking, offsets).into_iter().flat_map(|due| Role::BOTH.map(|role| (due, role))).collect();
    let keys: Vec<String> = all.iter().map(|(due, role)| remind::key(booking, due, *role)).collect();
    let mails = state.store.deliveries_under(&keys).await?;
    let waits = plan::due(booking, offsets, now);
    let view = |((due, role), key): ((plan::Due, Role), &String)| {
        let mail = mails.get(key);
        let state = match mail {
            Some(mail) => mail.state.as_str(),
            None if due.skipped => "skipped",
            None if booking.status != BookingStatus::Confirmed => "ended",
            None if due.at > now => "scheduled",
            None if waits == Some(due) => "due",
            None => "missed",
        };
        let delivery_id = mail.map(|mail| mail.id);
        ReminderView { offset: due.label(), role: role.as_str(), due_at: due.at, state, delivery_id }
    };
    Ok(all.into_iter().zip(&keys).map(view).collect())
}
