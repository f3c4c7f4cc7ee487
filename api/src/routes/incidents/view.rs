//! Incidents as they are shown: by the API, and by the command line with `--json`.

use std::collections::BTreeMap;

use alerting::Severity;
use jiff::Timestamp;
use serde::Serialize;
use store::{Incident, IncidentEvent, IncidentNotification, IncidentState};
use utoipa::ToSchema;
use uuid::Uuid;

/// Something that is, or was, wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct IncidentView {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    id: Uuid,
    /// The type of its alerts.
    r#type: String,
    /// info, warning or critical.
    #[schema(value_type = String, example = "critical")]
    severity: Severity,
    /// open, acknowledged or resolved.
    #[schema(value_type = String, example = "open")]
    state: IncidentState,
    /// In one line, as the last alert told it.
    title: String,
    /// In more words.
    message: String,
    /// What it is about.
    labels: BTreeMap<String, String>,
    /// What else is known.
    #[schema(value_type = Object)]
    details: alerting::Details,
    /// Which alerts belong to it.
    fingerprint: String,
    /// Alerts that said that it burns.
    alerts: i64,
    /// Those of them that nobody was told of one by one: it was known already.
    suppressed: i64,
    /// How often it came back soon after it was over.
    reopened: i64,
    /// When it began, as its sender told.
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    /// When the first alert came.
    #[schema(value_type = String, format = DateTime)]
    first_seen_at: Timestamp,
    /// When it was last opened or re-opened.
    #[schema(value_type = String, format = DateTime)]
    opened_at: Timestamp,
    /// When the last alert came.
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Timestamp,
    /// Not heard of until then, it is over; null: only somebody's word ends it.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When somebody took it on.
    #[schema(value_type = Option<String>, format = DateTime)]
    acknowledged_at: Option<Timestamp>,
    /// Who.
    acknowledged_by: Option<String>,
    /// When it was over.
    #[schema(value_type = Option<String>, format = DateTime)]
    resolved_at: Option<Timestamp>,
    /// Who said so; null: an alert, or silence.
    resolved_by: Option<String>,
}

impl From<Incident> for IncidentView {
    fn from(incident: Incident) -> Self {
        Self {
            id: incident.id,
            r#type: incident.kind,
            severity: incident.severity,
            state: incident.state,
            title: incident.title,
            message: incident.message,
            labels: incident.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            details: incident.details,
            fingerprint: incident.fingerprint,
            alerts: incident.alerts,
            suppressed: incident.suppressed,
            reopened: incident.reopened,
            starts_at: incident.starts_at,
            first_seen_at: incident.first_seen_at,
            opened_at: incident.opened_at,
            last_seen_at: incident.last_seen_at,
            expires_at: incident.expires_at,
            acknowledged_at: incident.acknowledged_at,
            acknowledged_by: incident.acknowledged_by,
            resolved_at: incident.resolved_at,
            resolved_by: incident.resolved_by,
        }
    }
}

/// An incident with all that happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct IncidentDetail {
    /// The incident.
    #[serde(flatten)]
    incident: IncidentView,
    /// What happened to it and what was told of it, the oldest first; of each the newest 500.
    timeline: Vec<TimelineView>,
}

/// Something that happened, or a message.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimelineView {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// opened, reopened, severity, acknowledged, commented, resolved, expired, muted, unmuted, brief; or told.
    #[schema(example = "acknowledged")]
    event: &'static str,
    /// Who did it.
    by: Option<String>,
    /// In words.
    note: Option<String>,
    /// The message, of one that was told.
    message: Option<MessageView>,
}

/// A message about an incident.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageView {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    id: Uuid,
    /// raised, resolved, repeated or escalated.
    reason: &'static str,
    /// The receiver that it went to.
    receiver: String,
    /// email, webhook or slack.
    channel: &'static str,
    /// The address, or the receiver's name.
    to: String,
    /// held, gathered (a digest told it), queued, mailed, sent or failed.
    state: &'static str,
    /// The mail that carries it: see `/v1/deliveries/{id}`.
    #[schema(value_type = Option<String>, format = Uuid)]
    delivery_id: Option<Uuid>,
    /// Where that stands.
    delivery_state: Option<&'static str>,
    /// The digest that told it.
    #[schema(value_type = Option<String>, format = Uuid)]
    digest_id: Option<Uuid>,
    /// Why it does not get through.
    error: Option<String>,
}

impl IncidentDetail {
    /// An incident with its history.
    #[must_use]
    pub fn new(incident: Incident, events: Vec<IncidentEvent>, told: Vec<IncidentNotification>) -> Self {
        let mut timeline: Vec<TimelineView> = events
            .into_iter()
            .map(|event| TimelineView {
                at: event.at,
                event: event.kind.as_str(),
                by: event.actor,
                note: event.note,
                message: None,
            })
            .collect();
        timeline.extend(told.into_iter().map(|told| TimelineView {
            at: told.notification.created_at,
            event: "told",
            by: None,
            note: None,
            message: Some(told.into()),
        }));
        // What was told of an instant comes after what happened in it.
        timeline.sort_by_key(|item| item.at);
        Self { incident: incident.into(), timeline }
    }
}

impl From<IncidentNotification> for MessageView {
    fn from(told: IncidentNotification) -> Self {
        let message = told.notification;
        Self {
            id: message.id,
            reason: message.reason.as_str(),
            receiver: message.receiver,
            channel: message.target.channel.as_str(),
            to: message.target.name,
            state: message.state.as_str(),
            delivery_id: message.delivery_id,
            delivery_state: told.delivery_state.map(store::DeliveryState::as_str),
            digest_id: message.digest_id,
            error: message.last_error.or(told.delivery_error),
        }
    }
}
