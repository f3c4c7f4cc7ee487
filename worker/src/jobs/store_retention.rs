//! `store.retention`: takes out of the store what has grown old.
//!
//! Enqueued by the schedule `retention`, nightly, with the times of `[ledger.retention]` and `[search.retention]`. Effect:
//! what mails were filled with, mails, booking events, ticks, silences, incidents and search events that are older than that
//! are gone, a few hundred rows a statement, so that nobody waits behind it (months of search events at once, where they are
//! partitions). What it does not finish within its time the next night does.
//! Mails outlast what the reconciliation looks back over (`reconcile.window`), whatever the arguments say: a mail whose row
//! is gone would look as if it had never been written, and be sent again.
//! Twice is harmless: what is gone is gone.

use std::time::Duration;

use job::clock::before;
use job::{Attempt, Completed, FieldError, Job, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::Old;
use tokio::time::Instant;

use crate::context::Context;
use crate::jobs::store_failed;

/// Half an hour and a little: `TIMEOUT`, and when it stops by itself.
const TIME: Duration = Duration::from_secs(30 * 60);
/// A breath between two statements: they are not the store's only work.
const BREATH: Duration = Duration::from_millis(20);

/// The arguments: how long each is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreRetention {
    /// What mails were filled with, and what callers gave to be sent.
    #[serde(with = "job::duration")]
    pub mail_contents: Duration,
    /// Mails, with their attempts and their keys; incidents that are over, with what was told of them.
    #[serde(with = "job::duration")]
    pub mails: Duration,
    /// Booking events.
    #[serde(with = "job::duration")]
    pub booking_events: Duration,
    /// Ticks of schedules, and silences that are over.
    #[serde(with = "job::duration")]
    pub ticks: Duration,
    /// Searches, and what was done with what they found.
    #[serde(with = "job::duration", default = "a_year")]
    pub search_events: Duration,
    /// The same, of guests.
    #[serde(with = "job::duration", default = "a_season")]
    pub guest_searches: Duration,
    /// What was counted of each query by the hour.
    #[serde(with = "job::duration", default = "five_weeks")]
    pub hourly_queries: Duration,
}

const DAY: Duration = Duration::from_secs(86_400);
/// How much longer than the reconciliation looks back mails are kept at least: one may be under way meanwhile.
const MARGIN: Duration = Duration::from_hours(1);
/// What waits in a queue as a dead job is gone by then.
const ERASURES: Duration = Duration::from_secs(35 * 86_400);

fn a_year() -> Duration {
    365 * DAY
}

fn a_season() -> Duration {
    90 * DAY
}

fn five_weeks() -> Duration {
    35 * DAY
}

impl StoreRetention {
    /// Whether mails and booking events are kept for longer than the reconciliation looks back.
    ///
    /// # Errors
    /// What is too short.
    pub fn outlasts(&self, window: Duration) -> Result<(), Vec<FieldError>> {
        let expected = format!(
            "longer than reconcile.window ({}) is expected: what is gone looks as if it had never been mailed",
            job::duration::format(window)
        );
        let kept = [("mails", self.mails), ("booking_events", self.booking_events)];
        let short = kept.into_iter().filter(|(_, kept)| *kept <= window);
        let wrong: Vec<FieldError> = short.map(|(field, _)| FieldError::new(field, expected.clone())).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    fn kept(&self, old: Old) -> Duration {
        match old {
            Old::MailContents | Old::EmailContents => self.mail_contents,
            Old::Mails | Old::Emails | Old::Notifications | Old::Incidents => self.mails,
            Old::BookingEvents => self.booking_events,
            Old::Ticks | Old::Silences => self.ticks,
            Old::SearchEvents => self.search_events,
            Old::GuestSearches => self.guest_searches,
            Old::HourlyQueries => self.hourly_queries,
            Old::SearchErasures => ERASURES,
        }
    }
}

impl Job for StoreRetention {
    const KIND: &'static str = "store.retention";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(35 * 60);
    const INTERNAL: bool = true;
    type Context = Context;

    fn validate(&self) -> Result<(), Vec<FieldError>> {
        let mut wrong: Vec<FieldError> = Old::ALL
            .into_iter()
            // What goes with another has no time of its own.
            .filter(|old| !matches!(old, Old::EmailContents | Old::Emails | Old::Silences) && self.kept(*old) < DAY)
            .map(|old| FieldError::new(old.as_str(), "at least 1d is expected"))
            .collect();
        if self.mail_contents > self.mails {
            wrong.push(FieldError::new("mail_contents", "not longer than mails: a mail's content goes with its row"));
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    async fn run(self, context: &Context, attempt: &Attempt) -> Outcome {
        let enough = Instant::now() + TIME;
        let least = context.bookings.reconcile_window.saturating_add(MARGIN);
        let asked = Self { mails: self.mails.max(least), booking_events: self.booking_events.max(least), ..self };
        let mut taken = Map::new();
        let mut finished = true;
        let started = context.clock.now();
        let oldest = before(started, asked.search_events);
        let months = context.store.drop_search_partitions(oldest).await.map_err(|e| store_failed(&e))?;
        taken.insert("search_months".to_owned(), months.into());
        let yesterday = before(started, 2 * DAY);
        let again = context.store.repeat_search_erasures(yesterday).await.map_err(|e| store_failed(&e))?;
        taken.insert("searches_of_erased".to_owned(), again.into());
        for old in Old::ALL {
            let now = context.clock.now();
            let oldest = before(now, asked.kept(old));
            let mut rows = 0_u64;
            loop {
                let chunk = context.store.take_out(old, oldest, now).await.map_err(|e| store_failed(&e))?;
                rows += u64::from(chunk);
                if chunk < Old::CHUNK {
                    break;
                }
                if Instant::now() >= enough || attempt.control.is_cancel_requested() {
                    finished = false;
                    break;
                }
                tokio::time::sleep(BREATH).await;
            }
            taken.insert(old.as_str().to_owned(), rows.into());
        }
        taken.insert("finished".to_owned(), Value::Bool(finished));
        Ok(Completed::with(Value::Object(taken)))
    }
}
