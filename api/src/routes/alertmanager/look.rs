//! What goes on, as Alertmanager shows it: each incident that is open, who is told of it, and what mutes it.

use std::collections::BTreeMap;

use alerting::{Fingerprint, Inhibitor, Labels, Matcher, Silence};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use store::Incident;
use utoipa::ToSchema;
use uuid::Uuid;
use worker::alerts::inhibitor;

use super::query::Asked;
use crate::error::ApiError;
use crate::state::State;

/// Incidents that are read at once.
const PAGE: u32 = 500;

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

/// Looks at what is open, a page at a time: what is not asked for takes no memory.
pub(super) struct Look<'a> {
    state: &'a State,
    wanted: Wanted,
    silences: Vec<Silence>,
    inhibitor: Inhibitor<'a>,
    now: Timestamp,
    /// The last fingerprint that was looked at; none: all were.
    after: Option<String>,
}

struct Wanted {
    active: bool,
    silenced: bool,
    inhibited: bool,
    filter: Vec<Matcher>,
}

impl<'a> Look<'a> {
    /// Reads what is asked for, and what mutes now.
    pub(super) async fn begin(state: &'a State, asked: &Asked) -> Result<Self, ApiError> {
        let wanted = Wanted {
            active: asked.switch("active")?,
            silenced: asked.switch("silenced")?,
            inhibited: asked.switch("inhibited")?,
            filter: asked.matchers("filter")?,
        };
        let now = state.clock.now();
        let silences = state.store.active_silences(now).await?;
        let inhibitor = inhibitor(&state.store, state.alerts.rules()).await?;
        Ok(Self { state, wanted, silences, inhibitor, now, after: Some(String::new()) })
    }

    /// The next of them, in the order of their fingerprints; none: there are no more.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Seen>>, ApiError> {
        let Some(after) = self.after.take() else { return Ok(None) };
        let page = self.state.store.burning_after(&after, PAGE).await?;
        self.after = page.last().filter(|_| page.len() == PAGE as usize).map(|last| last.fingerprint.clone());
        Ok(Some(page.into_iter().filter_map(|incident| self.see(incident)).collect()))
    }

    fn see(&self, incident: Incident) -> Option<Seen> {
        let rules = self.state.alerts.rules();
        let (own, subject) = (incident.fingerprint.parse().ok()?, incident.subject());
        if !alerting::all_match(&self.wanted.filter, &subject) {
            return None;
        }
        let receivers = rules.routes.resolve(&subject).iter().map(|route| route.receiver.clone()).collect();
        let status = status(&self.silences, &self.inhibitor, own, &subject);
        let one = Seen { alert: shown(incident, receivers, status, rules.resolve_timeout, self.now), subject };
        let is_wanted = (self.wanted.active || one.is_suppressed())
            && (self.wanted.silenced || one.alert.status.silenced_by.is_empty())
            && (self.wanted.inhibited || one.alert.status.inhibited_by.is_empty());
        is_wanted.then_some(one)
    }
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
