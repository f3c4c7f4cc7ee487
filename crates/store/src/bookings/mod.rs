//! Bookings as the marketplace reports them, and the projection that mails and reminders are made from.
//!
//! 1. An event is accepted under its booking's id and version: a repeated request is told from a contradicting one by the
//!    hash of its content (`event`).
//! 2. A job applies it: one transaction puts the snapshot into the projection if its version is the highest so far
//!    (`projection`), writes the mails that follow from it, calls off those that it makes untrue, and marks the event
//!    (`apply`).
//! 3. A scan finds the bookings of which somebody has to be reminded, and claims the reminders (`reminders`).
//! 4. Whoever doubts that everything was mailed reads what must have been (`facts`); measurements `fill` the table.

mod apply;
mod event;
mod facts;
mod fill;
mod projection;
mod reminders;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use apply::{EventApplied, FanOut};
pub use event::{Accepted, BookingEvent, NewBookingEvent};
pub use facts::EventFact;
pub use projection::Booking;
pub use reminders::Claimed;

use crate::words::words;

words! {
    /// What happened to a booking.
    pub enum BookingEventKind {
        /// It was made, or made firm.
        Confirmed = "confirmed",
        /// It moved, or changed otherwise.
        Rescheduled = "rescheduled",
        /// It will not take place.
        Cancelled = "cancelled",
        /// It took place.
        Completed = "completed",
        /// Somebody did not come.
        NoShow = "no_show",
    }
}

words! {
    /// How a booking stands.
    pub enum BookingStatus {
        /// It is to take place.
        Confirmed = "confirmed",
        /// It will not take place.
        Cancelled = "cancelled",
        /// It took place.
        Completed = "completed",
        /// Somebody did not come.
        NoShow = "no_show",
    }
}

words! {
    /// Who called a booking off.
    pub enum CancelledBy {
        /// The person who takes the lesson.
        Student = "student",
        /// The person who gives it.
        Instructor = "instructor",
        /// The marketplace.
        Platform = "platform",
    }
}

words! {
    /// How far a booking event has come.
    ///
    /// | from | to | by |
    /// |---|---|---|
    /// | accepted, failed | applied, superseded | the job (for a failed one: redriven) |
    /// | accepted | failed | the sweep, when the job ended without applying it |
    /// | failed | accepted | the same report once more, under a new job |
    pub enum EventState {
        /// Written, and not yet applied.
        Accepted = "accepted",
        /// In the projection, its mails in the ledger.
        Applied = "applied",
        /// A higher version was applied first; this one sends nothing.
        Superseded = "superseded",
        /// Its job ended without applying it. Reporting the event again, or redriving the job, sets it going again.
        Failed = "failed",
    }
}

impl BookingEventKind {
    /// The status that a booking has after the event.
    #[must_use]
    pub fn status(self) -> BookingStatus {
        match self {
            Self::Confirmed | Self::Rescheduled => BookingStatus::Confirmed,
            Self::Cancelled => BookingStatus::Cancelled,
            Self::Completed => BookingStatus::Completed,
            Self::NoShow => BookingStatus::NoShow,
        }
    }
}

/// A person in a booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The marketplace's id of the person.
    pub id: String,
    /// The name to write to.
    pub name: String,
    /// The address to write to.
    pub email: String,
    /// The IANA name of the zone that times are shown in.
    pub timezone: String,
    /// A language tag (BCP 47).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
}

/// What a booking costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// A decimal number as text: never a float.
    pub amount: String,
    /// An ISO 4217 code.
    pub currency: String,
}

/// A booking as an event shows it: always the whole booking, not what changed. Its version stands beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// What was booked.
    pub service: String,
    /// When it starts.
    pub starts_at: Timestamp,
    /// How long it takes.
    pub duration_minutes: u32,
    /// Where it takes place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Where it takes place online, or where it is managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What it costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Who takes it.
    pub student: Party,
    /// Who gives it.
    pub instructor: Party,
    /// Why it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who called it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_by: Option<CancelledBy>,
    /// How long before the start to remind, such as `24h`; none is the platform's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminders: Option<Vec<String>>,
}

/// What tells a repeated event from another one under the same version: SHA-256 over kind and snapshot. A field that is
/// absent adds nothing, so that a later release with more fields finds the same hash.
#[must_use]
pub fn content_hash(event: BookingEventKind, snapshot: &Snapshot) -> [u8; 32] {
    let content = serde_json::to_vec(&(event, snapshot)).expect("strings, numbers and times always are JSON");
    digest(&SHA256, &content).as_ref().try_into().expect("SHA-256 has 32 bytes")
}
