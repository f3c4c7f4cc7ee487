//! `booking.confirmed`: a booking was confirmed; both parties are told by mail.
//!
//! Enqueued by `POST /v1/bookings/{id}/events`, under `booking:{id}:v{version}`, after the event's row was written.
//! Effect: the projection is brought to this version; one `email.send` a party is enqueued, with an entry for
//! the calendar, and the first reminder is planned.
//! Twice is harmless: see [`crate::bookings::event`].

use std::time::Duration;

use job::{Attempt, FieldError, Job, Outcome};
use serde::{Deserialize, Serialize};

use crate::bookings::event::{self, EventArgs};
use crate::context::Context;

/// The arguments.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BookingConfirmed(pub EventArgs);

impl Job for BookingConfirmed {
    const KIND: &'static str = "booking.confirmed";
    const QUEUE: &'static str = "bookings";
    const TIMEOUT: Duration = event::TIMEOUT;
    const INTERNAL: bool = true;
    type Context = Context;

    fn validate(&self) -> Result<(), Vec<FieldError>> {
        self.0.validate()
    }

    async fn run(self, context: &Context, _: &Attempt) -> Outcome {
        event::run(context, &self.0).await
    }
}
