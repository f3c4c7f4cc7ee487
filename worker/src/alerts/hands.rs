//! People's hands on incidents: acknowledge, resolve, comment; and time's, which ends what was not heard of.

use std::collections::BTreeMap;

use jiff::Timestamp;
use store::{Incident, IncidentEventKind, IncidentState, StoreError, WhichIncidents};
use uuid::Uuid;

use super::intake::{Intake, changes};
use super::life::{Happened, Life};

/// What somebody does to an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Takes it on: it is no longer repeated or escalated.
    Acknowledge,
    /// Says that it is over.
    Resolve,
    /// Says something about it.
    Comment,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Handled {
    /// It is done, or was already.
    Done(Box<Incident>),
    /// It is over: there is nothing to take on.
    Over(Box<Incident>),
    /// There is no such incident.
    Missing,
}

impl Intake {
    /// Does the same to several incidents, in one transaction; answers for each, in their order. Done twice it changes nothing
    /// more, but that a comment is written twice.
    ///
    /// # Errors
    /// As the database says.
    pub async fn handle(
        &self,
        ids: &[Uuid],
        deed: Deed,
        by: &str,
        note: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<Handled>, StoreError> {
        let decide = |found: Vec<Incident>| {
            let mut lives: BTreeMap<Uuid, (Life, bool)> = BTreeMap::new();
            for incident in found {
                let mut life = Life::default();
                let id = incident.id;
                let over = deed == Deed::Acknowledge && !incident.is_active();
                act(&mut life, incident, deed, (by, note), now);
                lives.insert(id, (life, over));
            }
            let answer = |id: &Uuid| match lives.get(id) {
                Some((Life { incident: Some(incident), .. }, true)) => Handled::Over(Box::new(incident.clone())),
                Some((Life { incident: Some(incident), .. }, false)) => Handled::Done(Box::new(incident.clone())),
                _ => Handled::Missing,
            };
            let answers: Vec<Handled> = ids.iter().map(answer).collect();
            let lives = lives.into_values().map(|(life, _)| life);
            (changes(self.rules(), lives, now, || self.new_id()), answers)
        };
        self.store().change_incidents(&WhichIncidents::Ids(ids.to_vec()), now, decide).await
    }

    /// Ends incidents that were not heard of in time; answers how many. One that was heard of in the same moment stays.
    ///
    /// # Errors
    /// As the database says.
    pub async fn expire(&self, ids: &[Uuid], now: Timestamp) -> Result<usize, StoreError> {
        let decide = |found: Vec<Incident>| {
            let overdue =
                |incident: &Incident| incident.is_active() && incident.expires_at.is_some_and(|end| end <= now);
            let lives: Vec<Life> = found
                .into_iter()
                .filter(overdue)
                .map(|incident| {
                    let mut life = Life::default();
                    let note = format!("last heard of {}", incident.last_seen_at);
                    life.finish(incident, IncidentEventKind::Expired, None, Some(note), now);
                    life
                })
                .collect();
            let ended = lives.len();
            (changes(self.rules(), lives.into_iter(), now, || self.new_id()), ended)
        };
        self.store().change_incidents(&WhichIncidents::Ids(ids.to_vec()), now, decide).await
    }
}

fn act(life: &mut Life, incident: Incident, deed: Deed, (by, note): (&str, Option<&str>), now: Timestamp) {
    let note = note.map(str::to_owned);
    let said = |incident: &Incident, kind| Happened {
        incident: incident.id,
        kind,
        actor: Some(by.to_owned()),
        note: note.clone(),
        at: now,
    };
    match (deed, incident.state) {
        (Deed::Acknowledge, IncidentState::Open) => {
            life.events.push(said(&incident, IncidentEventKind::Acknowledged));
            (life.moved, life.touched) = (true, true);
            life.incident = Some(Incident {
                state: IncidentState::Acknowledged,
                acknowledged_at: Some(now),
                acknowledged_by: Some(by.to_owned()),
                ..incident
            });
        }
        (Deed::Resolve, IncidentState::Open | IncidentState::Acknowledged) => {
            life.finish(incident, IncidentEventKind::Resolved, Some(by), note, now);
        }
        (Deed::Acknowledge, IncidentState::Resolved) => life.incident = Some(incident),
        (Deed::Acknowledge | Deed::Resolve, _) | (Deed::Comment, _) => {
            if note.is_some() {
                life.events.push(said(&incident, IncidentEventKind::Commented));
                // Nothing of the row changes; it is written so that its history is.
                life.touched = true;
            }
            life.incident = Some(incident);
        }
    }
}
