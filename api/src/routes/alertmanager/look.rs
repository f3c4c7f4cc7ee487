//! What goes on, as Alertmanager shows it: each incident that is open, who is told of it, and what mutes it.

use std::collections::BTreeMap;

use alerting::{Fingerprint, Inhibitor, Labels, Silence};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use store::Incident;
use utoipa::ToSchema;
use uuid::Uuid;

use super::query::Asked;
use crate::error::ApiError;
use crate::state::State;

/// The most incidents that one answer shows.
const MOST: u32 = 20_000;

/// A receiver, by its name.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AlertmanagerReceiver {
    /// Its name.
    pub name: String,
}

/// Where an alert stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertmanagerStatus {
    /// active or suppressed.
    pub state: &'static str,
    /// The silences that mute it.
    #[schema(value_type = Vec<String>)]
    pub silenced_by: Vec<Uuid>,
    /// The fingerprints of alerts that explain it.
    #[schema(value_type = Vec<String>)]
    pub inhibited_by: Vec<Fingerprint>,
    /// Always empty: there are no times at which whole groups are mute.
    pub muted_by: Vec<String>,
}

/// An alert in Alertmanager's shape.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertmanagerAlert {
    /// Words for people: summary, description, and the details.
    pub annotations: BTreeMap<String, String>,
    /// Until when it goes on, if nothing more is heard of it.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
    /// Its identity.
    #[schema(value_type = String)]
    pub fingerprint: String,
    /// Who is told of it.
    pub receivers: Vec<AlertmanagerReceiver>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Timestamp,
    /// Where it stands.
    pub status: AlertmanagerStatus,
    /// When it was heard of last.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Where it comes from.
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    pub generator_url: Option<String>,
    /// What it is about, with `alertname` and `severity`.
    #[schema(value_type = BTreeMap<String, String>)]
    pub labels: BTreeMap<String, String>,
}

/// One incident, and the alert that it is shown as.
pub(super) struct Seen {
    pub(super) subject: Labels,
    pub(super) alert: AlertmanagerAlert,
}

impl Seen {
    fn is_suppressed(&self) -> bool {
        self.alert.status.state == "suppressed"
    }
}

/// What is open, muted by what mutes it now, and asked for.
pub(super) async fn look(state: &State, asked: &Asked) -> Result<Vec<Seen>, ApiError> {
    let (active, silenced, inhibited) =
        (asked.switch("active")?, asked.switch("silenced")?, asked.switch("inhibited")?);
    let filter = asked.matchers("filter")?;
    let now = state.clock.now();
    let rules = state.alerts.rules();
    let incidents = state.store.active_incidents(MOST).await?;
    let silences = state.store.active_silences(now).await?;
    let subjects: Vec<(Fingerprint, Labels)> =
        incidents.iter().filter_map(|i| Some((i.fingerprint.parse().ok()?, i.subject()))).collect();
    let inhibitor = Inhibitor::new(&rules.inhibitions, subjects.iter().map(|(print, subject)| (*print, subject)));
    let mut seen = Vec::new();
    for (incident, (own, subject)) in incidents.into_iter().zip(subjects.iter().cloned()) {
        if !alerting::all_match(&filter, &subject) {
            continue;
        }
        let receivers = rules.routes.resolve(&subject).iter().map(|route| route.receiver.clone()).collect();
        let status = status(&silences, &inhibitor, own, &subject);
        let one = Seen { alert: shown(incident, receivers, status, rules.resolve_timeout, now), subject };
        let wanted = (active || one.is_suppressed())
            && (silenced || one.alert.status.silenced_by.is_empty())
            && (inhibited || one.alert.status.inhibited_by.is_empty());
        if wanted {
            seen.push(one);
        }
    }
    seen.sort_by(|a, b| a.alert.fingerprint.cmp(&b.alert.fingerprint));
    Ok(seen)
}

fn status(silences: &[Silence], inhibitor: &Inhibitor<'_>, own: Fingerprint, subject: &Labels) -> AlertmanagerStatus {
    let silenced_by: Vec<Uuid> = silences.iter().filter(|s| s.mutes(subject)).map(|s| s.id).collect();
    let inhibited_by = inhibitor.inhibited_by(own, subject);
    let state = if silenced_by.is_empty() && inhibited_by.is_empty() { "active" } else { "suppressed" };
    AlertmanagerStatus { state, silenced_by, inhibited_by, muted_by: Vec::new() }
}

fn shown(
    incident: Incident,
    mut receivers: Vec<String>,
    status: AlertmanagerStatus,
    resolve_timeout: std::time::Duration,
    now: Timestamp,
) -> AlertmanagerAlert {
    receivers.dedup();
    let mut labels: BTreeMap<String, String> =
        incident.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    labels.insert("alertname".to_owned(), incident.kind);
    labels.entry("severity".to_owned()).or_insert_with(|| incident.severity.as_str().to_owned());
    let mut annotations: BTreeMap<String, String> = BTreeMap::from([("summary".to_owned(), incident.title)]);
    if !incident.message.is_empty() {
        annotations.insert("description".to_owned(), incident.message);
    }
    let mut generator_url = None;
    for (name, value) in incident.details {
        match value {
            Value::String(url) if name == "generator_url" => generator_url = Some(url),
            Value::String(text) => drop(annotations.entry(name).or_insert(text)),
            other => drop(annotations.entry(name).or_insert(other.to_string())),
        }
    }
    let timeout = SignedDuration::try_from(resolve_timeout).unwrap_or(SignedDuration::ZERO);
    AlertmanagerAlert {
        annotations,
        ends_at: incident.expires_at.unwrap_or_else(|| now.checked_add(timeout).unwrap_or(Timestamp::MAX)),
        fingerprint: incident.fingerprint,
        receivers: receivers.into_iter().map(|name| AlertmanagerReceiver { name }).collect(),
        starts_at: incident.starts_at,
        status,
        updated_at: incident.last_seen_at,
        generator_url,
        labels,
    }
}
