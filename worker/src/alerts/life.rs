//! What an alert does to its incident: one function without I/O, so that the rules are read and tested in one place.
//!
//! | alert | there is | then |
//! |---|---|---|
//! | firing | no incident, or one that was over for long | a new one is opened |
//! | firing | one that was over a moment ago (`flap_window`) | it is opened again, and counted as flapping; of a higher severity, it is news again |
//! | firing | one that burns | it is counted; of a higher severity than before, it is news again, to be taken on anew |
//! | resolved | one that burns | it is over |
//! | resolved | none that burns | nothing: that is an answer, not an error |
//!
//! An alert that fires and whose end is past is over.

use std::time::Duration;

use alerting::{Alert, State};
use jiff::Timestamp;
use job::clock::after;
use store::{Incident, IncidentEventKind, IncidentState};
use uuid::Uuid;

use super::rules::AlertRules;

/// An end so far away stands for none: only somebody's word ends such an incident.
const NEVER: Duration = Duration::from_hours(24 * 366 * 9);

/// What an alert did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It opened an incident.
    Opened,
    /// It opened one again that was over a moment ago.
    Reopened,
    /// It was counted.
    Counted,
    /// It ended its incident.
    Resolved,
    /// There was nothing to end.
    NothingToResolve,
}

impl Outcome {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Reopened => "reopened",
            Self::Counted => "counted",
            Self::Resolved => "resolved",
            Self::NothingToResolve => "nothing_to_resolve",
        }
    }
}

/// An incident on its way through some alerts.
#[derive(Debug, Clone, Default)]
pub(super) struct Life {
    /// As it is now.
    pub(super) incident: Option<Incident>,
    /// Incidents of the fingerprint that are over for good, and whether they are not in the store yet.
    pub(super) retired: Vec<(Incident, bool)>,
    /// Whether `incident` is not in the store yet.
    pub(super) is_new: bool,
    /// Whether more of it changed than its counts.
    pub(super) moved: bool,
    /// Whether anything of it changed.
    pub(super) touched: bool,
    /// Whether its groups have to hear of it: it began.
    pub(super) news: bool,
    /// Whether it is news although they know it.
    pub(super) again: bool,
    /// Whether its groups have to hear of its end.
    pub(super) over: bool,
    /// What happened.
    pub(super) events: Vec<Happened>,
}

/// Something that happened to an incident.
#[derive(Debug, Clone)]
pub(super) struct Happened {
    pub(super) incident: Uuid,
    pub(super) kind: IncidentEventKind,
    pub(super) actor: Option<String>,
    pub(super) note: Option<String>,
    pub(super) at: Timestamp,
}

impl Life {
    pub(super) fn of(incident: Incident) -> Self {
        Self { incident: Some(incident), ..Self::default() }
    }

    /// Applies one alert.
    pub(super) fn apply(
        &mut self,
        alert: &Alert,
        rules: &AlertRules,
        now: Timestamp,
        new_id: impl FnOnce() -> Uuid,
    ) -> Outcome {
        let burns = alert.state == State::Firing && alert.ends_at.is_none_or(|end| end > now);
        match (burns, self.incident.take()) {
            (false, Some(incident)) if incident.is_active() => self.end(incident, now),
            (false, incident) => {
                self.incident = incident;
                Outcome::NothingToResolve
            }
            (true, Some(incident)) if incident.is_active() => self.count(incident, alert, rules, now),
            (true, Some(incident)) if came_back(&incident, rules, now) => self.reopen(incident, alert, rules, now),
            (true, incident) => self.open(incident, alert, rules, now, new_id()),
        }
    }

    fn open(
        &mut self,
        before: Option<Incident>,
        alert: &Alert,
        rules: &AlertRules,
        now: Timestamp,
        id: Uuid,
    ) -> Outcome {
        if let Some(before) = before {
            self.retired.push((Incident { retired_at: Some(now), ..before }, self.is_new));
        }
        self.incident = Some(Incident {
            id,
            fingerprint: alert.fingerprint().to_string(),
            kind: alert.kind.clone(),
            severity: alert.severity,
            title: alert.title.clone(),
            message: alert.message.clone(),
            labels: alert.labels.clone(),
            details: alert.details.clone(),
            state: IncidentState::Open,
            alerts: 1,
            suppressed: 0,
            reopened: 0,
            starts_at: alert.starts_at.min(now),
            first_seen_at: now,
            opened_at: now,
            last_seen_at: now,
            expires_at: expires_at(alert, rules, now),
            acknowledged_at: None,
            acknowledged_by: None,
            resolved_at: None,
            resolved_by: None,
            retired_at: None,
        });
        (self.is_new, self.moved, self.touched) = (true, true, true);
        (self.news, self.again, self.over) = (true, false, false);
        self.happened(id, IncidentEventKind::Opened, None, now);
        Outcome::Opened
    }

    fn reopen(&mut self, incident: Incident, alert: &Alert, rules: &AlertRules, now: Timestamp) -> Outcome {
        let id = incident.id;
        let times = incident.reopened + 1;
        self.incident = Some(Incident {
            severity: alert.severity,
            title: alert.title.clone(),
            message: alert.message.clone(),
            details: alert.details.clone(),
            state: IncidentState::Open,
            alerts: incident.alerts + 1,
            reopened: times,
            starts_at: alert.starts_at.min(now),
            opened_at: now,
            last_seen_at: now,
            expires_at: expires_at(alert, rules, now),
            acknowledged_at: None,
            acknowledged_by: None,
            resolved_at: None,
            resolved_by: None,
            ..incident
        });
        (self.moved, self.touched, self.news, self.over) = (true, true, true, false);
        self.again |= incident.severity < alert.severity;
        let note = format!("it came back, for the {times}. time");
        self.happened(id, IncidentEventKind::Reopened, Some(note), now);
        Outcome::Reopened
    }

    fn count(&mut self, mut incident: Incident, alert: &Alert, rules: &AlertRules, now: Timestamp) -> Outcome {
        let before = incident.severity;
        let same = incident.title == alert.title
            && incident.message == alert.message
            && incident.details == alert.details
            && before == alert.severity;
        if !same {
            incident.title.clone_from(&alert.title);
            incident.message.clone_from(&alert.message);
            incident.details.clone_from(&alert.details);
            incident.severity = alert.severity;
            self.moved = true;
        }
        incident.alerts += 1;
        incident.suppressed += 1;
        incident.last_seen_at = now.max(incident.last_seen_at);
        incident.expires_at = expires_at(alert, rules, now);
        if before != alert.severity {
            self.news = true;
            let note = format!("{before} before, {} now", alert.severity);
            self.happened(incident.id, IncidentEventKind::Severity, Some(note), now);
        }
        if before < alert.severity {
            // Who took on a warning has not taken on what it became.
            incident.state = IncidentState::Open;
            (incident.acknowledged_at, incident.acknowledged_by) = (None, None);
            incident.suppressed -= 1;
            self.again = true;
        }
        self.touched = true;
        self.incident = Some(incident);
        Outcome::Counted
    }

    fn happened(&mut self, incident: Uuid, kind: IncidentEventKind, note: Option<String>, at: Timestamp) {
        self.events.push(Happened { incident, kind, actor: None, note, at });
    }

    fn end(&mut self, incident: Incident, now: Timestamp) -> Outcome {
        self.finish(incident, IncidentEventKind::Resolved, None, None, now);
        Outcome::Resolved
    }

    /// Ends an incident, whoever says so.
    pub(super) fn finish(
        &mut self,
        incident: Incident,
        kind: IncidentEventKind,
        by: Option<&str>,
        note: Option<String>,
        now: Timestamp,
    ) {
        let actor = by.map(str::to_owned);
        self.events.push(Happened { incident: incident.id, kind, actor, note, at: now });
        self.incident = Some(Incident {
            state: IncidentState::Resolved,
            resolved_at: Some(now),
            resolved_by: by.map(str::to_owned),
            expires_at: None,
            ..incident
        });
        (self.moved, self.touched, self.news, self.over) = (true, true, false, true);
    }
}

fn came_back(incident: &Incident, rules: &AlertRules, now: Timestamp) -> bool {
    incident.resolved_at.is_some_and(|over| after(over, rules.flap_window) > now)
}

fn expires_at(alert: &Alert, rules: &AlertRules, now: Timestamp) -> Option<Timestamp> {
    match alert.ends_at {
        Some(end) if end > after(now, NEVER) => None,
        Some(end) => Some(end),
        None => Some(after(now, rules.resolve_timeout)),
    }
}
