//! Telling the operators, by a way that does not depend on mail: the log, and a webhook.
//!
//! 1. Whoever finds that somebody has to act raises a [`Notice`], once when it begins, and resolves it when it is over.
//! 2. It is logged at once. Where a webhook is configured, `operator.notify` posts it, and tries again until it is taken.
//! 3. Without a queue it is posted directly, once: a queue that is away is no reason to be silent.
//!
//! The webhook's body is that of Standard Webhooks: `{"type", "timestamp", "data"}`, signed if there is a secret. `text` is
//! for chat programs that show nothing else.

mod webhook;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use job::clock::after;
use job::{Clock, Envelope, IdSource};
use queue::Broker;
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

pub use webhook::{Refused, Webhook};

use crate::jobs::operator_notify::OperatorNotify;

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
pub struct Notices(Option<Arc<Way>>);

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
        Self(Some(Arc::new(Way { broker, ids, clock, webhook })))
    }

    /// The webhook, if there is one.
    #[must_use]
    pub fn webhook(&self) -> Option<&Webhook> {
        self.0.as_deref().map(|way| &way.webhook)
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
        self.post(true, notice).await;
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
        self.post(false, notice).await;
    }

    async fn post(&self, raised: bool, notice: Notice) {
        let Some(way) = &self.0 else { return };
        let now = way.clock.now();
        let job = OperatorNotify { raised, notice, at: now };
        let id = way.ids.next(&<OperatorNotify as job::Job>::queue());
        let mut envelope = Envelope::of(&job, id, now).expect("texts are always JSON");
        envelope.expires_at = Some(after(now, NEWS));
        if let Err(error) = way.broker.enqueue(&[envelope.into()]).await {
            warn!(%error, "a notice is posted without the queue");
            let way = Arc::clone(way);
            tokio::spawn(async move {
                if let Err(error) = way.webhook.post(&id.to_string(), &job, now).await {
                    error!(%error, "a notice did not reach the operators");
                }
            });
        }
    }
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
