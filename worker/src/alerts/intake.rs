//! Taking alerts in: each is counted on its incident, whose groups hear of what is new.
//!
//! 1. Callers that come at the same time are served together, in one transaction: in a storm each commit takes hundreds of
//!    alerts.
//! 2. The incidents of the alerts are read under lock and led through them (`life`); then they are written with what
//!    happened, and their groups are told when to look. Nothing is sent here: when a group is due, the clockwork tells.
//! 3. The answer follows the commit. From then on it is not lost, whoever dies.

use std::collections::BTreeMap;
use std::sync::Arc;

use alerting::{Alert, Fingerprint};
use jiff::Timestamp;
use job::{IdSource, Job};
use store::{
    Batch, Changes, Incident, IncidentChange, IncidentEvent, IncidentState, Store, StoreError, WhichIncidents,
};
use uuid::Uuid;

use super::grouping;
use super::life::{Life, Outcome};
use super::rules::AlertRules;
use crate::jobs::alert_notify::AlertNotify;

/// Alerts that one transaction takes, if they come from several callers.
const TOGETHER: usize = 1_000;

/// What became of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Which incident it belongs to.
    pub fingerprint: Fingerprint,
    /// The incident; none where there was nothing to resolve.
    pub incident: Option<Uuid>,
    /// What it did.
    pub outcome: Outcome,
    /// Where the incident stands.
    pub state: Option<IncidentState>,
    /// Alerts that were counted on it.
    pub alerts: i64,
}

/// Takes alerts in. Cheap to clone.
#[derive(Clone)]
pub struct Intake(Arc<Inner>);

struct Inner {
    store: Store,
    rules: Arc<AlertRules>,
    ids: Arc<IdSource>,
    line: Arc<Batch<Request, Answer>>,
}

#[derive(Clone)]
struct Request {
    alerts: Arc<[Alert]>,
    now: Timestamp,
}

type Answer = Result<Vec<Accepted>, StoreError>;

impl Intake {
    /// An intake into `store`, by these rules.
    #[must_use]
    pub fn new(store: Store, rules: Arc<AlertRules>, ids: Arc<IdSource>) -> Self {
        Self(Arc::new(Inner { store, rules, ids, line: Arc::default() }))
    }

    /// Takes alerts in, all or none; answers one outcome each, in their order. They have to be valid
    /// ([`Alert::validate`]). Alerts of the same incident count in their order.
    ///
    /// # Errors
    /// As the database says. After a transient one it is not known whether they were counted.
    pub async fn accept(&self, alerts: &[Alert], now: Timestamp) -> Result<Vec<Accepted>, StoreError> {
        if alerts.is_empty() {
            return Ok(Vec::new());
        }
        let request = Request { alerts: alerts.into(), now };
        let inner = Arc::clone(&self.0);
        let run = move |requests: Vec<Request>| {
            let inner = Arc::clone(&inner);
            async move { Ok(inner.serve(&requests).await) }
        };
        self.0.line.ask(request, run).await?
    }
}

impl Intake {
    /// Has incidents told anew by the groups that they belong to: for who finds that none of them would. Those that are over
    /// are left alone.
    ///
    /// # Errors
    /// As the database says.
    pub async fn call_groups(&self, incidents: &[Uuid], now: Timestamp) -> Result<(), StoreError> {
        let routes = &self.rules().routes;
        let decide = |found: Vec<Incident>| {
            let burning = found.iter().filter(|incident| incident.is_active());
            let groups = burning.flat_map(|incident| grouping::calls(routes, incident, false, now)).collect();
            (Changes { groups, ..Changes::default() }, ())
        };
        self.store().change_incidents(&WhichIncidents::Ids(incidents.into()), now, decide).await
    }

    /// The rules.
    #[must_use]
    pub fn rules(&self) -> &Arc<AlertRules> {
        &self.0.rules
    }

    pub(super) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(super) fn new_id(&self) -> Uuid {
        self.0.new_id()
    }
}

impl Inner {
    /// Serves requests in their order, as many in one transaction as fit.
    async fn serve(&self, requests: &[Request]) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(requests.len());
        let mut rest = requests;
        while !rest.is_empty() {
            let mut alerts = 0;
            let fit = rest.iter().take_while(|request| {
                alerts += request.alerts.len();
                alerts <= TOGETHER
            });
            let (some, later) = rest.split_at(fit.count().max(1));
            rest = later;
            match self.together(some).await {
                Ok(accepted) => answers.extend(accepted.into_iter().map(Ok)),
                // What the database never takes of one caller must not fail the others.
                Err(error) if error.is_transient() || some.len() == 1 => {
                    answers.extend(some.iter().map(|_| Err(error.clone())));
                }
                Err(_) => {
                    for one in some {
                        let alone = self.together(std::slice::from_ref(one)).await;
                        answers.push(alone.map(|mut accepted| accepted.pop().unwrap_or_default()));
                    }
                }
            }
        }
        answers
    }

    async fn together(&self, requests: &[Request]) -> Result<Vec<Vec<Accepted>>, StoreError> {
        let fingerprints: Vec<Vec<Fingerprint>> =
            requests.iter().map(|request| request.alerts.iter().map(Alert::fingerprint).collect()).collect();
        let which = WhichIncidents::Fingerprints(fingerprints.iter().flatten().map(ToString::to_string).collect());
        let now = requests.iter().map(|request| request.now).max().unwrap_or(Timestamp::MIN);
        let decide = |found: Vec<Incident>| {
            // By fingerprint: what is written is locked in one order, whoever else writes the same.
            let mut lives: BTreeMap<String, Life> =
                found.into_iter().map(|incident| (incident.fingerprint.clone(), Life::of(incident))).collect();
            let mut answers = Vec::with_capacity(requests.len());
            for (request, fingerprints) in requests.iter().zip(&fingerprints) {
                let alerts = request.alerts.iter().zip(fingerprints);
                answers.push(alerts.map(|(alert, print)| self.one(&mut lives, alert, *print, request.now)).collect());
            }
            (self.changes(lives.into_values(), now), answers)
        };
        self.store.change_incidents(&which, now, decide).await
    }

    fn one(&self, lives: &mut BTreeMap<String, Life>, alert: &Alert, print: Fingerprint, now: Timestamp) -> Accepted {
        let life = lives.entry(print.to_string()).or_default();
        let outcome = life.apply(alert, &self.rules, now, || self.new_id());
        let incident = life.incident.as_ref();
        Accepted {
            fingerprint: print,
            incident: incident.map(|incident| incident.id),
            outcome,
            state: incident.map(|incident| incident.state),
            alerts: incident.map_or(0, |incident| incident.alerts),
        }
    }

    fn changes(&self, lives: impl Iterator<Item = Life>, now: Timestamp) -> Changes {
        changes(&self.rules, lives, now, || self.new_id())
    }

    fn new_id(&self) -> Uuid {
        self.ids.next(&AlertNotify::queue()).uuid()
    }
}

/// What is to be written of incidents that were led through something.
pub(super) fn changes(
    rules: &AlertRules,
    lives: impl Iterator<Item = Life>,
    now: Timestamp,
    new_id: impl Fn() -> Uuid,
) -> Changes {
    let mut changes = Changes::default();
    for life in lives.filter(|life| life.touched) {
        let Some(incident) = life.incident else { continue };
        if incident.is_active() {
            if life.news {
                changes.groups.extend(grouping::calls(&rules.routes, &incident, life.again, now));
            }
        } else if life.over && !life.is_new {
            changes.wake.push(incident.id);
        }
        changes.events.extend(life.events.into_iter().map(|happened| IncidentEvent {
            id: new_id(),
            incident_id: happened.incident,
            at: happened.at,
            kind: happened.kind,
            actor: happened.actor,
            note: happened.note,
        }));
        changes.incidents.extend(life.retired.into_iter().map(|(retired, is_new)| match is_new {
            true => IncidentChange::New(retired),
            false => IncidentChange::Moved(retired),
        }));
        changes.incidents.push(match (life.is_new, life.moved) {
            (true, _) => IncidentChange::New(incident),
            (false, true) => IncidentChange::Moved(incident),
            (false, false) => IncidentChange::Seen(incident),
        });
    }
    changes
}
