//! One look at the platform: queues, mails, schedules.

use std::time::Duration;

use jiff::Timestamp;
use job::JobState;
use job::clock::{after, before};
use queue::{Broker, BrokerError, Filter, QueueStats};
use store::StoreError;

use super::{WatchRules, notice};
use crate::context::Context;
use crate::notices::{Notice, Severity};
use crate::schedule::Timing;

const QUEUE_AWAY: &str = "queue.away";
const QUEUE_SLOW: &str = "queue.slow";
const DEAD_LETTERS: &str = "queue.dead_letters";
const MAIL_FAILING: &str = "mail.failing";
const MAIL_HELD: &str = "mail.held";
const SCHEDULER_ABSENT: &str = "scheduler.absent";
const SCHEDULE_LATE: &str = "schedule.late";

/// Everything that a look may find.
pub const KINDS: [&str; 7] =
    [QUEUE_AWAY, QUEUE_SLOW, DEAD_LETTERS, MAIL_FAILING, MAIL_HELD, SCHEDULER_ABSENT, SCHEDULE_LATE];

/// So many looks in a row the queue may be away before it is told: a failover is no news.
const AWAY: u32 = 3;
/// Nobody has led for so long: the scheduler is absent.
const ABSENT: Duration = Duration::from_secs(60);
/// Dead letters that are looked at in one call, and calls of one look: a call may answer fewer than there are.
const PAGE: usize = 200;
const PAGES: usize = 20;
/// Schedules that are read in one page.
const SCHEDULES: u32 = 500;

/// What was seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// What was looked at: the kinds about which this look can say something.
    pub looked: Vec<&'static str>,
    /// What is wrong.
    pub found: Vec<Notice>,
}

/// What looks: it remembers how often the queue did not answer.
#[derive(Debug, Default)]
pub struct Look {
    away: u32,
}

impl Look {
    /// Looks at everything.
    pub(super) async fn at(&mut self, context: &Context) -> Result<Seen, StoreError> {
        let (rules, now) = (&*context.watch, context.clock.now());
        let mut seen = Seen::default();
        self.queues(&*context.broker, rules, &mut seen).await;
        mails(context, rules, now, &mut seen).await?;
        schedules(context, rules, now, &mut seen).await?;
        Ok(seen)
    }

    async fn queues(&mut self, broker: &dyn Broker, rules: &WatchRules, seen: &mut Seen) {
        seen.looked.push(QUEUE_AWAY);
        match queues(broker, rules).await {
            Ok(found) => {
                self.away = 0;
                seen.looked.extend([QUEUE_SLOW, DEAD_LETTERS]);
                seen.found.extend(found);
            }
            Err(error) => {
                self.away = self.away.saturating_add(1);
                if self.away >= AWAY {
                    let (title, detail) = ("The queue does not answer", format!("jobs wait, callers get 503: {error}"));
                    seen.found.push(notice(QUEUE_AWAY, Severity::Critical, title, detail, None));
                }
            }
        }
    }
}

async fn queues(broker: &dyn Broker, rules: &WatchRules) -> Result<Vec<Notice>, BrokerError> {
    let mut found = Vec::new();
    for stats in broker.stats().await? {
        let name = stats.queue.as_str();
        found.extend(slow(&stats, rules));
        let dead = stats.count(JobState::Dead);
        if dead >= u64::from(rules.dead_letters) && many_dead(broker, &stats, rules).await? {
            let (most, window) = (rules.dead_letters, job::duration::format(rules.window));
            let detail = format!(
                "{most} or more jobs died within {window}, {dead} are kept; `postrider jobs list --queue {name} --state dead` \
                 shows why"
            );
            let title = "Many jobs of a queue are dead";
            found.push(notice(DEAD_LETTERS, Severity::Critical, title, detail, Some(("queue", name))));
        }
    }
    Ok(found)
}

/// Whether jobs wait for too long.
fn slow(stats: &QueueStats, rules: &WatchRules) -> Option<Notice> {
    let oldest = stats.oldest.filter(|oldest| *oldest >= rules.oldest_job)?;
    let (severity, why) = match stats.paused {
        true => (Severity::Warning, "; it is paused"),
        false => (Severity::Critical, ""),
    };
    let waits = job::duration::format(Duration::from_secs(oldest.as_secs()));
    let due = stats.count(JobState::Available);
    let detail = format!("{due} jobs are due, the oldest has waited for {waits}{why}");
    Some(notice(
        QUEUE_SLOW,
        severity,
        "Jobs of a queue wait for too long",
        detail,
        Some(("queue", stats.queue.as_str())),
    ))
}

/// Whether so many died lately as are too many.
async fn many_dead(broker: &dyn Broker, stats: &QueueStats, rules: &WatchRules) -> Result<bool, BrokerError> {
    let since = before(broker.now().await?, rules.window);
    let filter = Filter { queue: Some(stats.queue.clone()), state: Some(JobState::Dead), kind: None };
    let (mut lately, mut cursor) = (0_u32, None);
    for _ in 0..PAGES {
        let page = broker.list(&filter, PAGE, cursor).await?;
        for job in &page.items {
            match job.finished_at {
                Some(at) if at <= since => return Ok(false),
                _ => lately += 1,
            }
            if lately >= rules.dead_letters {
                return Ok(true);
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    Ok(false)
}

async fn mails(context: &Context, rules: &WatchRules, now: Timestamp, seen: &mut Seen) -> Result<(), StoreError> {
    seen.looked.extend([MAIL_FAILING, MAIL_HELD]);
    let since = before(now, rules.window);
    let vitals = context.store.mail_vitals(since).await?;
    let bad = vitals.failed + vitals.unknown;
    if bad >= u64::from(rules.failed_mails) {
        let (failed, unknown, window) = (vitals.failed, vitals.unknown, job::duration::format(rules.window));
        let detail = format!(
            "within {window} {failed} mails failed and the fate of {unknown} is unknown; \
             `GET /v1/deliveries?state=failed` shows them"
        );
        seen.found.push(notice(MAIL_FAILING, Severity::Critical, "Many mails do not get through", detail, None));
    }
    if let Some(oldest) = vitals.held_since.filter(|at| after(*at, rules.held_mails) <= now) {
        let detail = format!("the oldest is held since {oldest}; `postrider domain check` shows what its domain lacks");
        seen.found.push(notice(MAIL_HELD, Severity::Critical, "Mail is held for a long time", detail, None));
    }
    Ok(())
}

async fn schedules(context: &Context, rules: &WatchRules, now: Timestamp, seen: &mut Seen) -> Result<(), StoreError> {
    seen.looked.push(SCHEDULER_ABSENT);
    let state = context.store.scheduler_state().await?;
    // Where no scheduler ever was there is nothing that it neglects.
    if !state.holder.is_empty() && after(state.expires_at, ABSENT) <= now {
        let detail =
            format!("nobody has led since {}; nothing fires until `postrider scheduler` runs", state.expires_at);
        seen.found.push(notice(SCHEDULER_ABSENT, Severity::Critical, "No scheduler runs", detail, None));
        // That each of them is late follows from it.
        return Ok(());
    }
    seen.looked.push(SCHEDULE_LATE);
    let mut cursor: Option<String> = None;
    loop {
        let page = context.store.list_schedules(SCHEDULES, cursor.as_deref()).await?;
        for schedule in page.items.iter().filter(|schedule| schedule.paused.is_none()) {
            let name = schedule.name.as_str();
            let why = match Timing::of(&schedule.spec) {
                Ok(timing) => match timing.next_after(schedule.decided_until) {
                    Some(next) if after(next, rules.schedule_late) <= now => format!("it was to fire at {next}"),
                    _ => continue,
                },
                Err(why) => why,
            };
            let detail = format!("{why}, and did not; `postrider schedules show {name}` shows what it did last");
            let title = "A schedule does not fire";
            seen.found.push(notice(SCHEDULE_LATE, Severity::Critical, title, detail, Some(("schedule", name))));
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}
