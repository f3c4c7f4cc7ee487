//! Telling the operators, by a way that does not depend on mail: the log, and a webhook.
//!
//! 1. Whoever finds that somebody has to act raises a [`Notice`], once when it begins, and resolves it when it is over.
//! 2. It is logged at once, and becomes an incident like any alert, with the label `source="postrider"`: routes, silences
//!    and repeats hold for it, and mails and webhooks tell of it.
//! 3. A store that is away takes no incident. Then, where a webhook is configured, `operator.notify` posts the notice itself,
//!    and tries again until it is taken.
//! 4. Without a queue it is posted directly, once: a queue that is away is no reason to be silent.
//!
//! What becomes of the mails about incidents is never a notice: it would go in a circle (see `alerts::trouble`).
//!
//! The webhook's body is that of Standard Webhooks: `{"type", "timestamp", "data"}`, signed if there is a secret. `text` is
//! for chat programs that show nothing else.

mod webhook;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alerting::{Alert, LabelError, Labels, State};
use jiff::Timestamp;
use job::clock::after;
use job::{Clock, Envelope, IdSource};
use queue::Broker;
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

pub use webhook::{Refused, Webhook};

use crate::alerts::Intake;
use crate::jobs::operator_notify::OperatorNotify;

/// The label `source` of incidents that the platform raises about itself.
pub const SOURCE: &str = "postrider";

/// After this a notice is no news.
const NEWS: Duration = Duration::from_hours(24);

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// It looks after itself, but not well.
    Warning,
    /// Somebody has to act.
    Critical,
}

impl From<alerting::Severity> for Severity {
    fn from(severity: alerting::Severity) -> Self {
        match severity {
            alerting::Severity::Info => Self::Info,
            alerting::Severity::Warning => Self::Warning,
            alerting::Severity::Critical => Self::Critical,
        }
    }
}

/// Something that the operators have to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What kind of thing, such as `domain.held`.
    pub kind: String,
    /// How much it matters.
    pub severity: Severity,
    /// In one line, without values that change.
    pub title: String,
    /// What is known of it. No addresses of people, no secrets.
    pub detail: String,
    /// What it is about: with `kind`, the same in the notice that it is over.
    pub labels: BTreeMap<String, String>,
}

/// The way to the operators. Cheap to clone; the default one only logs.
#[derive(Clone, Default)]
pub struct Notices {
    intake: Option<Intake>,
    way: Option<Arc<Way>>,
    clock: Option<Arc<dyn Clock>>,
}

struct Way {
    broker: Arc<dyn Broker>,
    ids: Arc<IdSource>,
    clock: Arc<dyn Clock>,
    webhook: Webhook,
}

impl Notices {
    /// Notices that are also posted to a webhook.
    #[must_use]
    pub fn posted(broker: Arc<dyn Broker>, ids: Arc<IdSource>, clock: Arc<dyn Clock>, webhook: Webhook) -> Self {
        let way = Way { broker, ids, clock: Arc::clone(&clock), webhook };
        Self { intake: None, way: Some(Arc::new(way)), clock: Some(clock) }
    }

    /// The same, and what is told becomes an incident first.
    #[must_use]
    pub fn through(self, intake: Intake, clock: Arc<dyn Clock>) -> Self {
        Self { intake: Some(intake), clock: Some(clock), ..self }
    }

    /// Whether what is told becomes an incident.
    #[must_use]
    pub fn makes_incidents(&self) -> bool {
        self.intake.is_some()
    }

    /// The webhook, if there is one.
    #[must_use]
    pub fn webhook(&self) -> Option<&Webhook> {
        self.way.as_deref().map(|way| &way.webhook)
    }

    /// Tells that something has begun.
    pub async fn raise(&self, notice: Notice) {
        let (kind, detail, labels) = (&notice.kind, &notice.detail, json(&notice.labels));
        match notice.severity {
            Severity::Critical => {
                error!(notice = kind, title = notice.title, detail, labels, "a notice to the operators")
            }
            Severity::Warning => {
                warn!(notice = kind, title = notice.title, detail, labels, "a notice to the operators")
            }
            Severity::Info => info!(notice = kind, title = notice.title, detail, labels, "a notice to the operators"),
        }
        self.tell(true, notice).await;
    }

    /// Tells that it is over.
    pub async fn resolve(&self, kind: &str, labels: BTreeMap<String, String>) {
        info!(notice = kind, labels = json(&labels), "what the operators were told of is over");
        let notice = Notice {
            kind: kind.to_owned(),
            severity: Severity::Info,
            title: "It is over".to_owned(),
            detail: String::new(),
            labels,
        };
        self.tell(false, notice).await;
    }

    async fn tell(&self, raised: bool, notice: Notice) {
        match self.take_in(raised, &notice).await {
            Ok(true) => {}
            Ok(false) => self.post(raised, notice).await,
            Err(error) => {
                warn!(%error, notice = notice.kind, "a notice is no incident");
                self.post(raised, notice).await;
            }
        }
    }

    /// Makes an incident of it; `false` where there is no intake.
    async fn take_in(&self, raised: bool, notice: &Notice) -> Result<bool, String> {
        let (Some(intake), Some(clock)) = (&self.intake, &self.clock) else { return Ok(false) };
        let now = clock.now();
        let alert = alert(notice, raised, now).map_err(|e| e.to_string())?;
        intake.accept(&[alert], now).await.map(|_| true).map_err(|e| e.to_string())
    }

    async fn post(&self, raised: bool, notice: Notice) {
        let Some(way) = &self.way else { return };
        let now = way.clock.now();
        let job = OperatorNotify { raised, notice, at: now };
        let id = way.ids.next(&<OperatorNotify as job::Job>::queue());
        let mut envelope = Envelope::of(&job, id, now).expect("texts are always JSON");
        envelope.expires_at = Some(after(now, NEWS));
        if let Err(error) = way.broker.enqueue(&[envelope.into()]).await {
            warn!(%error, "a notice is posted without the queue");
            // Waited for: whoever tells may end with it, as a command does.
            if let Err(error) = way.webhook.post(&id.to_string(), &job, now).await {
                error!(%error, "a notice did not reach the operators");
            }
        }
    }
}

/// A notice as an alert. It burns until it is said to be over.
fn alert(notice: &Notice, raised: bool, now: Timestamp) -> Result<Alert, LabelError> {
    let mut labels = Labels::from_pairs(notice.labels.clone())?;
    labels.insert("source", SOURCE)?;
    Ok(Alert {
        kind: notice.kind.clone(),
        severity: match notice.severity {
            Severity::Info => alerting::Severity::Info,
            Severity::Warning => alerting::Severity::Warning,
            Severity::Critical => alerting::Severity::Critical,
        },
        title: notice.title.clone(),
        message: notice.detail.clone(),
        labels,
        details: alerting::Details::new(),
        state: if raised { State::Firing } else { State::Resolved },
        starts_at: now,
        ends_at: raised.then_some(Timestamp::MAX),
    })
}

fn json(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// The body that is posted.
#[must_use]
pub fn body(notice: &Notice, raised: bool, at: Timestamp) -> serde_json::Value {
    let labels = json(&notice.labels);
    let text = match raised {
        true => format!("{} ({labels}). {}", notice.title, notice.detail),
        false => format!("Over: {} ({labels})", notice.kind),
    };
    serde_json::json!({
        "type": if raised { "notice.raised" } else { "notice.resolved" },
        "timestamp": at.to_string(),
        "text": text,
        "data": notice,
    })
}
