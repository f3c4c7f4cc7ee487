//! A delivery as callers see it.

use jiff::Timestamp;
use serde::Serialize;
use store::{
    Action, Attempt, AttemptOutcome, Category, Class, Deed, Delivery, DeliveryEvent, DeliveryEventKind, DeliveryState,
    History,
};
use utoipa::ToSchema;
use uuid::Uuid;

/// A mail to one person.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliverySummary {
    /// The delivery's id.
    #[schema(value_type = String, format = Uuid)]
    id: Uuid,
    /// queued, sending, sent, deferred, held, suppressed, cancelled, expired, failed or unknown.
    #[schema(value_type = String, example = "sent")]
    state: DeliveryState,
    /// The booking it is about.
    booking_id: Option<String>,
    /// The template it was made from.
    template: String,
    /// The sender profile.
    sender: String,
    /// What it is to its reader: booking, account, security, alert or report.
    #[schema(value_type = String, example = "booking")]
    category: Category,
    /// How it is sent: booking, account, alert or report.
    #[schema(value_type = String, example = "booking")]
    class: Class,
    /// The address.
    recipient: String,
    /// The name beside it.
    recipient_name: Option<String>,
    /// The subject, once it was rendered.
    subject: Option<String>,
    /// The Message-ID, once it was sent.
    message_id: Option<String>,
    /// What it is kept unique by.
    idempotency_key: String,
    /// The job that sends it.
    #[schema(value_type = String, format = Uuid)]
    job_id: Uuid,
    /// How often sending was begun.
    attempt_count: u32,
    /// Why the latest attempt did not send it.
    last_error: Option<String>,
    /// When it is tried next.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<Timestamp>,
    /// After this instant it is not sent any more.
    #[schema(value_type = Option<String>, format = DateTime)]
    deadline: Option<Timestamp>,
    /// When it was decided.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When the relay took it.
    #[schema(value_type = Option<String>, format = DateTime)]
    sent_at: Option<Timestamp>,
}

impl From<Delivery> for DeliverySummary {
    fn from(d: Delivery) -> Self {
        Self {
            id: d.id,
            state: d.state,
            booking_id: d.booking_id,
            template: d.template,
            sender: d.sender,
            category: d.category,
            class: d.class,
            recipient: d.recipient,
            recipient_name: d.recipient_name,
            subject: d.subject,
            message_id: d.message_id,
            idempotency_key: d.idempotency_key,
            job_id: d.job_id,
            attempt_count: d.attempts,
            last_error: d.last_error,
            next_attempt_at: d.next_attempt_at,
            deadline: d.deadline,
            created_at: d.created_at,
            sent_at: d.sent_at,
        }
    }
}

/// A mail to one person, with its whole history.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// The delivery, as in lists.
    #[serde(flatten)]
    summary: DeliverySummary,
    /// Why it stands as it does, in sentences.
    story: Vec<String>,
    /// Each attempt, oldest first.
    attempts: Vec<AttemptView>,
    /// What was learned about it besides: bounces and complaints that came back, and the like.
    events: Vec<EventView>,
    /// What was done to it from outside, oldest first.
    actions: Vec<ActionView>,
}

/// Something that was learned about a mail outside of its attempts.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventView {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// bounce, delayed, delivered, complaint, unsubscribe or redirected.
    #[schema(value_type = String, example = "bounce")]
    kind: DeliveryEventKind,
    /// Whether the report proved that it is about this mail. Nothing is done upon one that did not.
    verified: bool,
    /// The status code (RFC 3463).
    status: Option<String>,
    /// What was said.
    text: Option<String>,
}

impl From<DeliveryEvent> for EventView {
    fn from(e: DeliveryEvent) -> Self {
        Self { at: e.at, kind: e.kind, verified: e.verified, status: e.status, text: e.text }
    }
}

impl DeliveryView {
    /// The mail as it stands at `now`.
    #[must_use]
    pub fn new(history: History, now: Timestamp) -> Self {
        Self {
            story: store::story(&history, now),
            summary: history.delivery.into(),
            attempts: history.attempts.into_iter().map(AttemptView::from).collect(),
            events: history.events.into_iter().map(EventView::from).collect(),
            actions: history.deeds.into_iter().map(ActionView::from).collect(),
        }
    }
}

/// An intervention of a person, or of a repair.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActionView {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// cancel, resend, resolve_sent or resolve_failed.
    #[schema(value_type = String, example = "resend")]
    action: Action,
    /// The state that it was found in.
    #[schema(value_type = String, example = "held")]
    found: DeliveryState,
    /// Who did it.
    #[schema(example = "API key ops")]
    actor: String,
}

impl From<Deed> for ActionView {
    fn from(deed: Deed) -> Self {
        Self { at: deed.at, action: deed.action, found: deed.found, actor: deed.actor }
    }
}

/// One attempt to hand the mail to a relay.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptView {
    /// Its number, from 1.
    n: u32,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// The relay.
    relay: Option<String>,
    /// How far it came: connect, ehlo, auth, mail, rcpt, data, body or dot.
    phase: Option<String>,
    /// The relay's reply code.
    code: Option<u16>,
    /// The enhanced status code (RFC 3463).
    enhanced: Option<String>,
    /// The relay's words, or the reason.
    text: Option<String>,
    /// How long it took.
    duration_ms: u64,
    /// sent, deferred, failed, unknown, expired, held, suppressed, cancelled or lost.
    #[schema(value_type = String, example = "sent")]
    outcome: AttemptOutcome,
}

impl From<Attempt> for AttemptView {
    fn from(a: Attempt) -> Self {
        Self {
            n: a.n,
            started_at: a.started_at,
            relay: a.relay,
            phase: a.phase,
            code: a.code,
            enhanced: a.enhanced,
            text: a.text,
            duration_ms: u64::try_from(a.duration.as_millis()).unwrap_or(u64::MAX),
            outcome: a.outcome,
        }
    }
}
