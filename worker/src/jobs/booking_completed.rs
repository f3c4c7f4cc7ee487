//! `booking.completed`: a lesson took place; the student is asked for a review after a while.
//!
//! Enqueued by `POST /v1/bookings/{id}/events`, under `booking:{id}:v{version}`, after the event's row was written.
//! Effect: the projection is brought to this version; what still waits of older news is called off, one
//! `email.send` to the instructor is enqueued, and one to the student for later.
//! Twice is harmless: see [`crate::bookings::event`].

use std::time::Duration;

use job::{Attempt, FieldError, Job, Outcome};
use serde::{Deserialize, Serialize};

use crate::bookings::event::{self, EventArgs};
use crate::context::Context;

/// The arguments.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BookingCompleted(pub EventArgs);

impl Job for BookingCompleted {
    const KIND: &'static str = "booking.completed";
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
