//! Which groups are to tell of an incident.

use alerting::Routes;
use jiff::Timestamp;
use job::clock::after;
use store::{GroupCall, Incident};

/// The groups of an incident, each due when its route has waited for others to join.
pub(super) fn calls(routes: &Routes, incident: &Incident, again: bool, now: Timestamp) -> Vec<GroupCall> {
    let subject = incident.subject();
    let route = |route: &alerting::Route| GroupCall {
        key: route.group_id(&subject).to_string(),
        route: route.key.clone(),
        labels: route.group(&subject),
        due_at: after(now, route.timing.group_wait),
        incident_id: incident.id,
        again,
    };
    routes.resolve(&subject).into_iter().map(route).collect()
}

/// Whether a group is still one of an incident's.
pub(super) fn belongs(routes: &Routes, incident: &Incident, group: &str) -> bool {
    let subject = incident.subject();
    routes.resolve(&subject).iter().any(|route| route.group_id(&subject).to_string() == group)
}
