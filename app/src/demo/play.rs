//! Plays the day: tells the platform what happens, as the API does, and lets the reminders be scanned.

use std::convert::Infallible;
use std::time::Duration;

use job::{Envelope, Job, JobId};
use store::{Accepted, NewBookingEvent, content_hash};
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use worker::Context;
use worker::jobs::reminders_scan::RemindersScan;

use super::clock::DayClock;
use super::story::{self, Scene};

/// How often the reminders are scanned, on the wall clock: every six minutes of the day.
const SCAN: Duration = Duration::from_millis(250);
/// How often after the day, when time goes on at its usual pace.
const LATER: Duration = Duration::from_secs(10);
/// How long the last mails have after the day.
const AFTERGLOW: Duration = Duration::from_secs(2);

/// Plays until the day is over; answers how many things happened.
///
/// # Errors
/// The store or the queue, which are in memory here, failing.
pub async fn play(context: &Context, clock: &DayClock) -> anyhow::Result<usize> {
    let day = story::of(clock.began());
    let telling = async {
        for scene in &day {
            sleep_until(clock.on_the_wall(scene.at)).await;
            tell(context, scene).await?;
        }
        sleep_until(clock.ends() + AFTERGLOW).await;
        Ok::<_, anyhow::Error>(())
    };
    let scanning = async {
        let mut ticks = interval(SCAN);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            scan(context).await?;
        }
    };
    tokio::select! {
        told = telling => told?,
        scanned = scanning => return scanned,
    }
    Ok(day.len())
}

/// Goes on scanning the reminders when the day is over: of what is still to come, and of what is booked by hand.
///
/// # Errors
/// As for [`play`].
pub async fn go_on(context: &Context) -> anyhow::Result<Infallible> {
    let mut ticks = interval(LATER);
    loop {
        ticks.tick().await;
        scan(context).await?;
    }
}

/// The row first, then its job: as the API does.
async fn tell(context: &Context, scene: &Scene) -> anyhow::Result<()> {
    let now = context.clock.now();
    let new = NewBookingEvent {
        booking_id: scene.booking_id.clone(),
        version: scene.version,
        event: scene.event,
        content_hash: content_hash(scene.event, &scene.snapshot),
        snapshot: scene.snapshot.clone(),
        job_id: context.ids.next(&RemindersScan::queue()).uuid(),
    };
    if let Accepted::New { job_id } | Accepted::Duplicate { job_id } = context.store.accept_event(&new, now).await? {
        let job = worker::intents::booking_event(&new.booking_id, new.version, new.event, job_id, now);
        context.broker.enqueue(&[job.into()]).await?;
    }
    Ok(())
}

async fn scan(context: &Context) -> anyhow::Result<()> {
    let id: JobId = context.ids.next(&RemindersScan::queue());
    let job = Envelope::of(&RemindersScan {}, id, context.clock.now())?;
    context.broker.enqueue(&[job.into()]).await?;
    Ok(())
}
