//! The platform watches itself: what stands still, grows or fails becomes an incident before a customer writes.
//!
//! 1. Every worker looks, every `watch.every`; `look` says what it finds, by the thresholds in `rules`.
//! 2. What is found is compared with what is known to burn: what is new, or matters more than before, is raised, and what is
//!    over is resolved. The incidents themselves are the memory, so it does not matter which worker looks, or that one was started anew.
//! 3. What could not be looked at (the queue is away) is neither raised nor resolved by that look.
//!
//! Mails of alerts are not looked at here: what becomes of them is told by another way, and never as another alert
//! (`alerts`). That mail of a domain is held the gate tells itself (`domain.held`).

mod look;
mod rules;

use std::collections::BTreeMap;
use std::sync::Arc;

use store::{IncidentFilter, IncidentState, StoreError};
use tokio_util::sync::CancellationToken;
use tracing::debug;

pub use look::{KINDS, Look};
pub use rules::WatchRules;

use crate::context::Context;
use crate::notices::{Notice, SOURCE, Severity};

/// Incidents of the platform itself that are read at once.
const PAGE: u32 = 500;

/// What is wrong and with what: the same of the incident that tells of it.
type Subject = (String, BTreeMap<String, String>);

/// A worker's eye on the platform.
#[derive(Debug, Default)]
pub struct Watch {
    look: Look,
    /// What this worker told, and how much it mattered, where notices do not become incidents.
    told: BTreeMap<Subject, Severity>,
}

/// Watches until `end`.
pub(crate) async fn run(context: Arc<Context>, end: CancellationToken) {
    let watching = async {
        let mut watch = Watch::default();
        loop {
            tokio::time::sleep(context.watch.every).await;
            if let Err(error) = watch.once(&context).await {
                debug!(%error, "the platform could not be looked at");
            }
        }
    };
    if context.watch.enabled {
        end.run_until_cancelled(watching).await;
    }
}

impl Watch {
    /// One look; answers how many findings there are.
    ///
    /// # Errors
    /// As the store says: nothing was told then.
    pub async fn once(&mut self, context: &Context) -> Result<usize, StoreError> {
        let seen = self.look.at(context).await?;
        let known = match context.notices.makes_incidents() {
            true => burning(context).await?,
            false => std::mem::take(&mut self.told),
        };
        let mut told = BTreeMap::new();
        let found = seen.found.len();
        for notice in seen.found {
            let subject = (notice.kind.clone(), notice.labels.clone());
            let severity = notice.severity;
            let before = known.get(&subject).copied();
            if before.is_none_or(|before| before < severity) {
                context.notices.raise(notice).await;
            }
            told.insert(subject, before.map_or(severity, |before| before.max(severity)));
        }
        for (subject, severity) in known {
            if seen.looked.contains(&subject.0.as_str()) && !told.contains_key(&subject) {
                context.notices.resolve(&subject.0, subject.1).await;
            } else {
                told.insert(subject, severity);
            }
        }
        self.told = told;
        Ok(found)
    }
}

/// What the platform has told of itself and is not over.
async fn burning(context: &Context) -> Result<BTreeMap<Subject, Severity>, StoreError> {
    let mut burning = BTreeMap::new();
    for kind in KINDS {
        let filter = IncidentFilter {
            states: vec![IncidentState::Open, IncidentState::Acknowledged],
            kind: Some(kind.to_owned()),
            labels: vec![("source".to_owned(), SOURCE.to_owned())],
            ..IncidentFilter::default()
        };
        let mut cursor = None;
        loop {
            let page = context.store.list_incidents(&filter, PAGE, cursor.as_deref()).await?;
            burning.extend(page.items.into_iter().map(|incident| {
                let labels = incident.labels.iter().filter(|(name, _)| *name != "source");
                let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                ((incident.kind, labels), incident.severity.into())
            }));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
    }
    Ok(burning)
}

/// A notice of one of the kinds.
fn notice(kind: &str, severity: Severity, title: &str, detail: String, label: Option<(&str, &str)>) -> Notice {
    let labels = label.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Notice { kind: kind.to_owned(), severity, title: title.to_owned(), detail, labels }
}
