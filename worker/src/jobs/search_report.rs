//! `search.report`: tells the operators what people searched for in the last day or week.
//!
//! Enqueued by the schedules `search_report_daily` and `search_report_weekly`. Effect: one mail to each recipient of
//! `search.report.recipients`; figures beyond their thresholds become alerts, whoever gets the mail.
//! Twice is harmless: a mail is a row under `search_report:{period}:{first day}:{recipient}`, and an alert that burns
//! already is the same incident.
//!
//! 1. The period: the last one that was over when the job was made, so that a job that waited for a night still tells of
//!    the day that it was made for; or the one of the day that the arguments name.
//! 2. What is not counted yet of it, and of the period before, is counted: a report cannot be taken back. If there is more
//!    than fits into its time, the job is put off for a minute and goes on where it ended.
//! 3. Its figures and those of the period before are read, and made into a mail for each recipient: all rows at once.
//! 4. The mails are enqueued. If that fails, the sweep does it.
//! 5. The thresholds: see [`crate::search_report::alerts`].

use std::time::Duration;

use alerting::State;
use jiff::Timestamp;
use jiff::civil::Date;
use job::{Attempt, Completed, FieldError, Job, JobId, Outcome, Unfinished};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Category, DeliveryRef, NewDelivery};
use telemetry::redact::Address;
use tokio::time::Instant;

use crate::bookings::event::{enqueue, new_id};
use crate::context::Context;
use crate::jobs::store_failed;
use crate::search::{Wanted, roll_up};
use crate::search_report::{self, Figures, Kind, Period};

/// How long it counts before it is put off, and for how long it is.
const COUNTING: Duration = Duration::from_secs(20 * 60);
const PAUSE: Duration = Duration::from_secs(60);
/// The template.
const TEMPLATE: &str = "search_report";

/// The arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchReport {
    /// How long a time it is about.
    pub period: Kind,
    /// A day of that time; none: the last one that is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Date>,
}

impl Job for SearchReport {
    const KIND: &'static str = "search.report";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(30 * 60);
    const INTERNAL: bool = true;
    type Context = Context;

    fn validate(&self) -> Result<(), Vec<FieldError>> {
        match self.day {
            Some(day) if !(1970..=9000).contains(&day.year()) => {
                Err(vec![FieldError::new("day", "a date from 1970 on is expected")])
            }
            _ => Ok(()),
        }
    }

    async fn run(self, context: &Context, attempt: &Attempt) -> Outcome {
        let now = context.clock.now();
        let period = match self.day {
            Some(day) => Period::of(self.period, day),
            None => Period::before(self.period, made_at(attempt.job).unwrap_or(now)),
        };
        if period.span().1 > now {
            return Err(Unfinished::fail(format!("{} is not over yet", period.words())));
        }
        let end = Instant::now() + COUNTING;
        let enough = || Instant::now() >= end || attempt.control.is_cancel_requested();
        let wanted = Wanted::Marked(period.previous().span().0, period.span().1);
        if !roll_up(context, wanted, enough).await?.finished {
            return Err(Unfinished::snooze("searches of its time are still being counted", PAUSE));
        }
        let figures = Figures::read(&context.store, period, now).await.map_err(|e| store_failed(&e))?;
        let mails = write(context, &figures, now).await?;
        enqueue(context, &mails, now).await?;
        let alerts = search_report::alerts(&figures, &context.search_report.thresholds, now);
        context.alerts.accept(&alerts, now).await.map_err(|e| store_failed(&e))?;
        let firing = alerts.iter().filter(|alert| alert.state == State::Firing).count();
        Ok(Completed::with(json!({
            "from": period.first, "searches": figures.now.searches, "mails": mails.len(), "alerts": firing,
        })))
    }
}

/// Writes the mails; those that are there already are answered as they are.
async fn write(context: &Context, figures: &Figures, now: Timestamp) -> Result<Vec<DeliveryRef>, Unfinished> {
    let rules = &context.search_report;
    let mut mails = Vec::with_capacity(rules.recipients.len());
    for recipient in &rules.recipients {
        let id = new_id(context);
        let data = search_report::data(figures, id, &context.public_url)
            .map_err(|e| Unfinished::fail(format!("the report cannot be drawn for {}: {e}", Address(recipient))))?;
        let (kind, first) = (figures.period.kind.as_str(), figures.period.first);
        let key = format!("search_report:{kind}:{first}:{}", recipient.to_lowercase());
        let new = NewDelivery::new(id, key, Category::Report, TEMPLATE, rules.sender.as_str(), recipient.as_str());
        mails.push(NewDelivery { data, ..new });
    }
    context.store.insert_deliveries(&mails, now).await.map_err(|e| store_failed(&e))
}

/// When a job was made, as its id tells.
fn made_at(job: JobId) -> Option<Timestamp> {
    let (seconds, nanoseconds) = job.uuid().get_timestamp()?.to_unix();
    Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanoseconds).ok()?).ok()
}
