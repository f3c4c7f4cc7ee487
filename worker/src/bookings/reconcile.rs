//! The reconciliation: what the store says must have been mailed, held against the ledger, and what is missing made good.
//!
//! 1. Rows whose job the queue lost are swept up at once, without the patience of the sweep.
//! 2. Every event of the window is looked at: an applied one has all of its mails, in whatever state, or gets them now, if
//!    its version is still the booking's. One that a newer version overtook owes nobody anything. One that was accepted and
//!    that nobody has applied for a while, whatever its job is waiting for, is applied now.
//! 3. Every booking that is to take place, or did within the window, is looked at: a reminder that was due has its mail;
//!    one that is due is armed, so that the scan that follows claims it; one that is too late is counted as missed.
//! 4. Every incident that burns and that nobody has taken on is told, muted on purpose, or about to be looked at by a group;
//!    otherwise its groups are called.
//! 5. Only what this installation accepted within the window counts: it is shorter than the ledger keeps its rows, so that
//!    a mail that was cleaned away is never taken for one that was never written.
//!
//! Twice is harmless: what is made good is written under the keys that it would have had.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use job::Unfinished;
use job::clock::before;
use serde::Serialize;
use store::{Booking, BookingEvent, BookingStatus, DeliveryState, EventFact, EventState, OpenIncidents};
use tracing::warn;

use super::event::{self, EventArgs};
use super::{Role, plan, remind, tellings};
use crate::context::Context;
use crate::jobs::store_failed;
use crate::sweep;

/// Rows that are looked at together.
const PAGE: u32 = 500;
/// An incident that is younger may still be on its way to its group, and an event to its job.
const FRESH: Duration = Duration::from_secs(60);
/// Keys and events that a report names at most.
const NAMED: usize = 20;

/// What was found, and done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// From when on facts were looked at.
    pub since: Timestamp,
    /// When.
    pub at: Timestamp,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// The events of the window by their state.
    pub events: BTreeMap<String, u64>,
    /// The mails of applied events.
    pub mails: Tally,
    /// The reminders that were due.
    pub reminders: Tally,
    /// The incidents of the window that nobody has taken on.
    pub incidents: Incidents,
    /// Rows whose lost job was enqueued again.
    pub swept: usize,
    /// Bookings whose next look was put right.
    pub rearmed: u64,
    /// Events that nobody had applied a minute after they were accepted. They are applied, unless nothing is to be changed.
    pub unapplied: u64,
    /// Those of them, at most 20.
    pub unapplied_events: Vec<String>,
    /// Events whose job ended without applying them, at most 20: report them again, or redrive their jobs.
    pub failed: Vec<String>,
}

/// What must be there against what is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// Mails that must be there.
    pub expected: u64,
    /// Those that are.
    pub present: u64,
    /// Those that were not, and could be made good (or could have been, in a dry run).
    pub missing: u64,
    /// Reminders whose time had passed before anybody could claim them.
    pub missed: u64,
    /// Those that are there by their state.
    pub by_state: BTreeMap<String, u64>,
    /// Keys of missing mails, at most 20.
    pub missing_keys: Vec<String>,
}

/// How open incidents are told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Incidents {
    /// Those that there are.
    pub open: u64,
    /// Somebody was told.
    pub told: u64,
    /// Silenced, or explained by another one.
    pub muted: u64,
    /// A group is going to look.
    pub due: u64,
    /// Nobody would have been told. Their groups are called, unless nothing is to be changed.
    pub untold: u64,
    /// Those of them, at most 20.
    pub untold_ids: Vec<String>,
}

impl Report {
    /// Whether everything is as it must be: nothing was missing, and no event waits to be applied, or for a person.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let missing = self.mails.missing + self.reminders.missing + self.incidents.untold + self.unapplied;
        missing == 0 && self.failed.is_empty()
    }
}

impl Tally {
    fn count(&mut self, key: String, state: Option<DeliveryState>) {
        self.expected += 1;
        match state {
            Some(state) => {
                self.present += 1;
                *self.by_state.entry(state.to_string()).or_default() += 1;
            }
            None => {
                self.missing += 1;
                if self.missing_keys.len() < NAMED {
                    self.missing_keys.push(key);
                }
            }
        }
    }
}

/// Compares, and makes good what is missing unless it is a `dry_run`.
///
/// # Errors
/// A store or queue that is away is a snooze.
pub async fn run(context: &Context, dry_run: bool) -> Result<Report, Unfinished> {
    let at = context.clock.now();
    let since = before(at, context.bookings.reconcile_window);
    let mut report = Report { since, at, dry_run, ..Report::default() };
    if !dry_run {
        let swept = sweep::once(context, Duration::ZERO).await.map_err(|e| e.unfinished())?;
        report.swept = swept.enqueued;
    }
    events(context, &mut report).await?;
    bookings(context, &mut report).await?;
    incidents(context, &mut report).await?;
    if !dry_run {
        remind::scan(context).await?;
        if !report.is_whole() {
            let (mails, reminders, incidents) =
                (report.mails.missing, report.reminders.missing, report.incidents.untold);
            let (unapplied, failed) = (report.unapplied, report.failed.len());
            warn!(
                mails,
                reminders, incidents, unapplied, failed, "something that people must be told of was missing: made good"
            );
        }
    }
    Ok(report)
}

/// Step 4.
async fn incidents(context: &Context, report: &mut Report) -> Result<(), Unfinished> {
    let (store, until) = (&context.store, before(report.at, FRESH));
    let found = store.open_incidents(report.since, until).await.map_err(|e| store_failed(&e))?;
    let OpenIncidents { told, muted, due, untold } = found;
    let open = told + muted + due + untold;
    report.incidents = Incidents { open, told, muted, due, untold, untold_ids: Vec::new() };
    if untold == 0 {
        return Ok(());
    }
    loop {
        let page = store.untold_incidents(report.since, until, PAGE).await.map_err(|e| store_failed(&e))?;
        let named = page.iter().take(NAMED - report.incidents.untold_ids.len().min(NAMED)).map(ToString::to_string);
        report.incidents.untold_ids.extend(named);
        if !report.dry_run {
            context.alerts.call_groups(&page, report.at).await.map_err(|e| store_failed(&e))?;
        }
        // Called, they are due and not found again.
        if report.dry_run || page.len() < PAGE as usize {
            return Ok(());
        }
    }
}

/// Step 2.
async fn events(context: &Context, report: &mut Report) -> Result<(), Unfinished> {
    let mut last: Option<BookingEvent> = None;
    loop {
        let page = context.store.events_since(report.since, last.as_ref(), PAGE).await.map_err(|e| store_failed(&e))?;
        let owed: Vec<(usize, String)> =
            page.iter().enumerate().flat_map(|(n, fact)| keys(fact).into_iter().map(move |key| (n, key))).collect();
        let keys: Vec<String> = owed.iter().map(|(_, key)| key.clone()).collect();
        let found = context.store.deliveries_under(&keys).await.map_err(|e| store_failed(&e))?;
        let mut incomplete = Vec::new();
        for (n, key) in owed {
            let state = found.get(&key).map(|mail| mail.state);
            let current = page[n].current == Some(page[n].event.version);
            if state.is_none() && !current {
                // Written or not, it would be untrue by now.
                continue;
            }
            if state.is_none() && incomplete.last() != Some(&n) {
                incomplete.push(n);
            }
            report.mails.count(key, state);
        }
        let fresh = before(report.at, FRESH);
        for (n, EventFact { event, .. }) in page.iter().enumerate() {
            *report.events.entry(event.state.to_string()).or_default() += 1;
            let name = || format!("{} version {}", event.booking_id, event.version);
            if event.state == EventState::Failed && report.failed.len() < NAMED {
                report.failed.push(name());
            }
            if event.state == EventState::Accepted && event.received_at <= fresh {
                report.unapplied += 1;
                incomplete.push(n);
                if report.unapplied_events.len() < NAMED {
                    report.unapplied_events.push(name());
                }
            }
        }
        incomplete.sort_unstable();
        if !report.dry_run {
            for n in incomplete {
                let BookingEvent { booking_id, version, .. } = &page[n].event;
                event::apply(context, &EventArgs { booking_id: booking_id.clone(), version: *version }).await?;
            }
        }
        let full = page.len() == PAGE as usize;
        last = page.into_iter().next_back().map(|fact| fact.event);
        if !full {
            return Ok(());
        }
    }
}

/// The keys of the mails that an event owes; none before it is applied, and none once it was superseded. A review is asked
/// for, not owed: who turns the question on does not put it to those of last week.
fn keys(fact: &EventFact) -> Vec<String> {
    let event = &fact.event;
    if event.state != EventState::Applied {
        return Vec::new();
    }
    let told = tellings::of(event.event, event.snapshot.cancelled_by, false);
    told.iter().map(|telling| telling.key(&event.booking_id, event.version)).collect()
}

/// Step 3.
async fn bookings(context: &Context, report: &mut Report) -> Result<(), Unfinished> {
    let mut last: Option<Booking> = None;
    loop {
        let store = &context.store;
        let page = store.upcoming_bookings(report.since, last.as_ref(), PAGE).await.map_err(|e| store_failed(&e))?;
        let keys: Vec<String> = page.iter().flat_map(|booking| due_keys(context, report, booking)).collect();
        let found = store.deliveries_under(&keys).await.map_err(|e| store_failed(&e))?;
        for booking in &page {
            let offsets = &context.bookings.offsets;
            let due = plan::due(booking, offsets, report.at);
            let mut unclaimed = false;
            for past in due_in_window(context, report, booking) {
                for role in Role::BOTH {
                    let key = remind::key(booking, &past, role);
                    let state = found.get(&key).map(|mail| mail.state);
                    let can_be_sent = due.is_some_and(|due| due == past);
                    unclaimed |= state.is_none() && can_be_sent;
                    let armed = booking.next_reminder_at.is_some_and(|at| at <= past.at);
                    match state {
                        // The next scan takes it.
                        None if can_be_sent && armed => {}
                        None if !can_be_sent => {
                            report.reminders.expected += 1;
                            report.reminders.missed += 1;
                        }
                        state => report.reminders.count(key, state),
                    }
                }
            }
            let next = match due.filter(|_| unclaimed) {
                Some(due) => Some(due.at),
                None => plan::next(booking, offsets, report.at),
            };
            let late = next.is_some_and(|next| booking.next_reminder_at.is_none_or(|armed| armed > next));
            if late && (report.dry_run || store.rearm_reminders(booking, next).await.map_err(|e| store_failed(&e))?) {
                report.rearmed += 1;
            }
        }
        let full = page.len() == PAGE as usize;
        last = page.into_iter().next_back();
        if !full {
            return Ok(());
        }
    }
}

/// The reminders of a booking that were due within the window.
fn due_in_window(context: &Context, report: &Report, booking: &Booking) -> Vec<plan::Due> {
    debug_assert_eq!(booking.status, BookingStatus::Confirmed, "only what is to take place is looked at");
    let mut all = plan::of(booking, &context.bookings.offsets);
    all.retain(|due| !due.skipped && due.at > report.since && due.at <= report.at);
    all
}

fn due_keys(context: &Context, report: &Report, booking: &Booking) -> Vec<String> {
    let due = due_in_window(context, report, booking);
    due.iter().flat_map(|due| Role::BOTH.map(|role| remind::key(booking, due, role))).collect()
}
