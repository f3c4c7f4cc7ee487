//! `alert.notify`: one message about incidents to a receiver's webhook or chat.
//!
//! Enqueued for a row of `alert_notifications`, under `alert:{id}`. Effect: it is posted, and the row says how that ended.
//! Twice is harmless: a row that has its end is not posted again; one that was posted and not written down is posted again
//! under the same id, by which receivers know that it is the same.

use std::time::Duration;

use jiff::Timestamp;
use job::clock::after;
use job::{Attempt, Completed, Job, Outcome, Unfinished};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Channel, IncidentState, Notification, NotificationFate, NotificationState};
use telemetry::redact::Text;
use tracing::error;
use uuid::Uuid;

use crate::alerts::payload::{NAMED, Told};
use crate::alerts::{NotPosted, Post, link};
use crate::context::Context;
use crate::jobs::store_failed;

/// After this a message is no news.
const NEWS: Duration = Duration::from_hours(6);
/// How long a message waits at most before it asks again whether its server is back.
const RESTS: Duration = Duration::from_secs(15);

/// The arguments.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertNotify {
    /// The message.
    pub notification_id: Uuid,
}

impl Job for AlertNotify {
    const KIND: &'static str = "alert.notify";
    const QUEUE: &'static str = "default";
    /// The age of the message ends it, not the count.
    const MAX_ATTEMPTS: u32 = 1_000;
    const TIMEOUT: Duration = Duration::from_secs(30);
    const INTERNAL: bool = true;
    type Context = Context;

    async fn run(self, context: &Context, attempt: &Attempt) -> Outcome {
        let found = context.store.get_notification(self.notification_id).await.map_err(|e| store_failed(&e))?;
        let Some(message) = found else {
            return Err(Unfinished::fail(format!("no message {} is stored", self.notification_id)));
        };
        if message.state != NotificationState::Queued {
            return Ok(Completed::with(json!({ "message": message.state })));
        }
        let (now, id) = (context.clock.now(), message.id);
        let Some(post) = way(context, &message) else {
            let why = format!("receiver {} has no {} any more", message.receiver, message.target.channel);
            return failed(context, id, &why, now).await;
        };
        if let Some(until) = post.resting(now).filter(|_| after(message.created_at, NEWS) > now) {
            return Err(rest(until, now));
        }
        let body = body(context, &message).await?;
        let posted = post.send(&id.to_string(), body, now).await;
        let end = async |fate| context.store.end_notification(id, fate, now).await.map_err(|e| store_failed(&e));
        match posted {
            Ok(()) => {
                end(NotificationFate::Sent).await?;
                Ok(Completed::with(json!({ "message": "sent" })))
            }
            Err(NotPosted::Refused(error)) if !error.is_transient() => {
                failed(context, id, &error.to_string(), now).await
            }
            Err(error) if after(message.created_at, NEWS) <= now => failed(context, id, &error.to_string(), now).await,
            Err(NotPosted::Resting(until)) => Err(rest(until, now)),
            Err(NotPosted::Refused(error)) => {
                end(NotificationFate::Delayed(&error.to_string())).await?;
                Err(Unfinished::RetryAfter { error: error.to_string(), delay: wait(attempt.number) })
            }
        }
    }
}

/// Waits while a server is left alone; not for long at a time, because one message finds out when it is back.
fn rest(until: Timestamp, now: Timestamp) -> Unfinished {
    let wait = Duration::try_from(until.duration_since(now)).unwrap_or_default();
    Unfinished::snooze("its server is away", wait.clamp(Duration::from_secs(1), RESTS))
}

/// As mails of alerts wait: short waits first, five minutes later on.
fn wait(attempt: u32) -> Duration {
    store::Class::Alert.wait(attempt, 0.5)
}

/// Notes that a message will not be taken; the clockwork tells of it by another way.
async fn failed(context: &Context, id: Uuid, why: &str, now: Timestamp) -> Outcome {
    let ended = context.store.end_notification(id, NotificationFate::Failed(why), now).await;
    ended.map_err(|e| store_failed(&e))?;
    error!(notification_id = %id, reason = %Text(why), "a message to the operators was not taken");
    Ok(Completed::with(json!({ "message": "failed", "reason": why })))
}

/// Where it goes.
fn way<'a>(context: &'a Context, message: &Notification) -> Option<&'a Post> {
    let receiver = context.alerts.rules().receiver(&message.target.name)?;
    match message.target.channel {
        Channel::Webhook => receiver.webhook.as_deref(),
        Channel::Slack => receiver.slack.as_deref(),
        Channel::Email => None,
    }
}

async fn body(context: &Context, message: &Notification) -> Result<String, Unfinished> {
    let named = u32::try_from(NAMED).unwrap_or(u32::MAX);
    let about = context.store.notified_incidents(message.id, named).await.map_err(|e| store_failed(&e))?;
    let total = context.store.count_notified_incidents(message.id).await.map_err(|e| store_failed(&e))?;
    // Open ones come first.
    let open = about.iter().any(|(incident, _)| incident.state == IncidentState::Open);
    let ring = context.secrets.as_deref().filter(|_| open);
    let url = ring.map(|ring| link::acknowledge(ring, &context.public_url, message.id, message.created_at));
    let told = Told {
        notification: message,
        incidents: &about,
        total: usize::try_from(total).unwrap_or(usize::MAX),
        acknowledge: url.as_deref(),
    };
    Ok(match message.target.channel {
        Channel::Slack => told.slack(),
        Channel::Webhook | Channel::Email => told.webhook(),
    }
    .to_string())
}
