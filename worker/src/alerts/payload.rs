//! What is posted: the JSON of a signed webhook, and the message as Slack takes it.

use serde_json::{Value, json};
use store::{Change, Incident, Notification, Reason};

/// Incidents that a webhook names, and that a chat message does.
pub(crate) const NAMED: usize = 100;
const SHOWN: usize = 10;
/// Characters of a message that a chat shows.
const MESSAGE: usize = 500;

/// A message and what it is about.
pub(crate) struct Told<'a> {
    /// The message.
    pub(crate) notification: &'a Notification,
    /// The incidents that matter most, up to [`NAMED`].
    pub(crate) incidents: &'a [(Incident, Change)],
    /// How many there are.
    pub(crate) total: usize,
    /// The link to take them on; none where nothing is open.
    pub(crate) acknowledge: Option<&'a str>,
}

impl Told<'_> {
    /// The body of a webhook: `{"type", "timestamp", "text", "data"}`.
    pub(crate) fn webhook(&self) -> Value {
        let Self { notification, incidents, total, acknowledge } = self;
        let named: Vec<Value> = incidents
            .iter()
            .map(|(incident, change)| {
                json!({
                    "id": incident.id, "fingerprint": incident.fingerprint, "type": incident.kind,
                    "severity": incident.severity, "title": incident.title, "message": incident.message,
                    "labels": incident.labels, "details": incident.details, "state": incident.state,
                    "change": change, "alerts": incident.alerts, "reopened": incident.reopened,
                    "starts_at": incident.starts_at, "opened_at": incident.opened_at,
                    "last_seen_at": incident.last_seen_at, "acknowledged_by": incident.acknowledged_by,
                    "resolved_at": incident.resolved_at,
                })
            })
            .collect();
        json!({
            "type": format!("alert.{}", notification.reason),
            "timestamp": notification.created_at,
            "text": self.text(),
            "data": {
                "notification_id": notification.id, "receiver": notification.receiver,
                "reason": notification.reason, "severity": notification.severity, "title": notification.title,
                "total": total, "incidents": named, "acknowledge_url": acknowledge,
            },
        })
    }

    /// The body of a message to Slack, and to what understands the same: `{"text"}` in its own mark-up.
    pub(crate) fn slack(&self) -> Value {
        let mut lines = vec![format!("*{}*", escape(&self.headline()))];
        for (incident, change) in self.incidents.iter().take(SHOWN) {
            let state = match (change, incident.is_active()) {
                (_, false) => "over",
                (Change::News, true) => incident.severity.as_str(),
                (_, true) => "still",
            };
            lines.push(format!("• [{state}] {}{}", escape(&incident.title), escape(&self.labels(incident))));
            if let [_] = self.incidents
                && incident.is_active()
                && !incident.message.is_empty()
            {
                lines.push(escape(&incident.message.chars().take(MESSAGE).collect::<String>()));
            }
        }
        let shown = self.incidents.len().min(SHOWN);
        if self.total > shown {
            lines.push(format!("and {} more", self.total - shown));
        }
        // The link is ours and has nothing in it that would end it.
        lines.extend(self.acknowledge.map(|url| format!("<{url}|Acknowledge>")));
        json!({ "text": lines.join("\n") })
    }

    fn text(&self) -> String {
        let first = self.incidents.first().map(|(incident, _)| self.labels(incident)).unwrap_or_default();
        format!("{}{first}", self.headline())
    }

    fn headline(&self) -> String {
        let Notification { reason, severity, title, .. } = self.notification;
        let word = match reason {
            Reason::Resolved => "resolved".to_owned(),
            Reason::Repeated => format!("{severity}, still"),
            Reason::Escalated => format!("{severity}, not acknowledged"),
            Reason::Raised | Reason::Digest | Reason::Undelivered => severity.to_string(),
        };
        format!("[{word}] {title}")
    }

    fn labels(&self, incident: &Incident) -> String {
        let words: Vec<String> = incident.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) }
    }
}

/// Slack's three characters: what is not ours must not become a link or a mention.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
