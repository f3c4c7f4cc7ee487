//! Claiming the reminders that are due, and their mails.
//!
//! 1. The store names the bookings whose time to be looked at has come, a page at a time.
//! 2. For each the plan says which reminder is due, and when to look again; the mails are written, under
//!    `booking:{id}:m{moves}:reminder:{offset}:{role}`, in the transaction that moves the booking on.
//! 3. They are enqueued. If that fails, or the process dies before, the rows remain, and the sweep enqueues them.

use std::time::Duration;

use jiff::Timestamp;
use job::Unfinished;
use serde_json::{Value, json};
use store::{Booking, FanOut, NewDelivery};

use super::event::{enqueue, new_id};
use super::plan::{self, Due};
use super::{BookingRules, Role, letter};
use crate::context::Context;
use crate::jobs::store_failed;

/// Bookings that are claimed together.
const PAGE: u32 = 500;
/// A reminder of at least so much time ahead may wait for people to be awake; the others are sent all the same.
const MAY_WAIT: Duration = Duration::from_secs(4 * 3600);

/// What a scan did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scanned {
    /// Bookings that were looked at.
    pub bookings: usize,
    /// Mails of the reminders that were due.
    pub mails: usize,
}

/// Claims all reminders that are due.
///
/// # Errors
/// A store or queue that is away is a snooze; what was claimed before stays claimed.
pub async fn scan(context: &Context) -> Result<Scanned, Unfinished> {
    let mut scanned = Scanned::default();
    loop {
        let now = context.clock.now();
        let decide = |booking: &Booking| decide(context, booking, now);
        let claimed = context.store.claim_reminders(now, PAGE, decide).await.map_err(|e| store_failed(&e))?;
        enqueue(context, &claimed.deliveries, now).await?;
        scanned.bookings += claimed.bookings;
        scanned.mails += claimed.deliveries.len();
        if claimed.bookings < PAGE as usize {
            return Ok(scanned);
        }
    }
}

/// What follows from a look at a booking.
fn decide(context: &Context, booking: &Booking, now: Timestamp) -> FanOut {
    let rules = &context.bookings;
    let mail = |due: Due| Role::BOTH.map(|role| reminder(rules, booking, due, role, new_id(context), now));
    let due = plan::due(booking, &rules.offsets, now);
    FanOut {
        mails: due.map(mail).into_iter().flatten().collect(),
        next_reminder_at: plan::next(booking, &rules.offsets, now),
    }
}

/// The key of a reminder's mail.
#[must_use]
pub fn key(booking: &Booking, due: &Due, role: Role) -> String {
    format!("booking:{}:m{}:reminder:{}:{role}", booking.id, booking.moves, due.label())
}

fn reminder(
    rules: &BookingRules,
    booking: &Booking,
    due: Due,
    role: Role,
    id: uuid::Uuid,
    now: Timestamp,
) -> NewDelivery {
    NewDelivery {
        data: data(booking, role, now),
        booking_moves: Some(booking.moves),
        send_at: waits_until(rules, booking, &due, role, now),
        deadline: Some(due.late_from()),
        ..letter::to(booking, role, key(booking, &due, role), format!("booking_reminder_{role}"), id)
    }
}

/// What the template shows. How far away the lesson is depends on when it is asked: it is told anew when the mail goes.
pub(super) fn data(booking: &Booking, role: Role, now: Timestamp) -> Value {
    let (zone, locale) = (&role.of(booking).timezone, letter::locale_of(booking, role));
    let relative = mail::when::relative(booking.starts_at, now, zone, &locale)
        .or_else(|_| mail::when::relative(booking.starts_at, now, "UTC", &locale));
    let mut data = letter::data(booking, role);
    data["relative"] = json!(relative.ok());
    data
}

/// When the reminder may go, if its reader sleeps now and it may be as late as that.
pub(super) fn waits_until(
    rules: &BookingRules,
    booking: &Booking,
    due: &Due,
    role: Role,
    now: Timestamp,
) -> Option<Timestamp> {
    let end = rules.quiet_hours?.end(now, &role.of(booking).timezone)?;
    (due.offset >= MAY_WAIT && end < due.late_from()).then_some(end)
}
