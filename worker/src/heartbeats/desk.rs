//! What is done to heartbeats: by the API, the command line and the watch.

use jiff::Timestamp;
use job::FieldError;
use store::{Heartbeat, HeartbeatChange, HeartbeatState, MOST_HEARTBEATS, Origin, Store, StoreError};

use super::life;
use super::rules::{Definition, HeartbeatRules, check_name};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is no heartbeat of this name, and nothing says what it has to keep to. Permanent.
    #[error("there is no heartbeat of this name")]
    Unknown,
    /// The configuration defines it: nothing else changes or removes it. Permanent.
    #[error("the configuration defines this heartbeat: change [heartbeats.NAME] there")]
    OfConfig,
    /// There are as many as there may be. Permanent.
    #[error("there are {MOST_HEARTBEATS} heartbeats: remove one first")]
    TooMany,
    /// The name cannot be one. Permanent.
    #[error("{}: {}", .0.field, .0.message)]
    Name(FieldError),
    /// The store; it knows whether trying again helps.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where heartbeats are kept, and what the configuration says of them.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    /// Where they are kept.
    pub store: &'a Store,
    /// What the configuration defines.
    pub rules: &'a HeartbeatRules,
}

impl Desk<'_> {
    /// It has beaten. `given` defines one that is not known yet, and changes one that is.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn beat(&self, name: &str, given: Option<Definition>, now: Timestamp) -> Result<Heartbeat, Refused> {
        check_name(name).map_err(Refused::Name)?;
        let configured = self.rules.configured.get(name).copied();
        let decide = |found: Option<Heartbeat>| {
            let known = found.clone().filter(|heartbeat| heartbeat.state != HeartbeatState::Removed);
            if given.is_some() && (configured.is_some() || known.as_ref().is_some_and(is_of_config)) {
                return (HeartbeatChange::Leave, Err(Refused::OfConfig));
            }
            let origin = if configured.is_some() { Origin::Config } else { Origin::Api };
            let heartbeat = match (found, configured.or(given)) {
                // One of the configuration is defined by whoever starts, and only made here if nobody has yet.
                (Some(found), None) if known.is_some() => found,
                (Some(found), Some(_)) if known.is_some() && configured.is_some() => found,
                (Some(found), Some(definition)) => life::define(found, origin, definition, now),
                (None, Some(definition)) => life::new(name, origin, definition, now),
                (_, None) => return (HeartbeatChange::Leave, Err(Refused::Unknown)),
            };
            let beaten = life::beat(heartbeat, now);
            (HeartbeatChange::Write(beaten.clone()), Ok(beaten))
        };
        self.store.change_heartbeat(name, decide).await?.unwrap_or(Err(Refused::TooMany))
    }

    /// Removes one that the configuration does not define. Its incident ends.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn remove(&self, name: &str, now: Timestamp) -> Result<Heartbeat, Refused> {
        let configured = self.rules.configured.contains_key(name);
        let decide = |found: Option<Heartbeat>| match found {
            Some(found) if found.state != HeartbeatState::Removed => {
                if configured || is_of_config(&found) {
                    return (HeartbeatChange::Leave, Err(Refused::OfConfig));
                }
                (removal(found.clone(), now), Ok(found))
            }
            _ => (HeartbeatChange::Leave, Err(Refused::Unknown)),
        };
        self.store.change_heartbeat(name, decide).await?.unwrap_or(Err(Refused::TooMany))
    }

    /// Brings the configuration's heartbeats into the store: new ones begin, changed ones change, and those that it no
    /// longer has go. Answers how many were touched.
    ///
    /// # Errors
    /// As the database says.
    pub async fn mirror(&self, now: Timestamp) -> Result<usize, StoreError> {
        let mut touched = 0;
        for (name, definition) in &self.rules.configured {
            let decide = |found: Option<Heartbeat>| match found {
                Some(found) if is_of_config(&found) && life::definition(&found) == *definition => {
                    (HeartbeatChange::Leave, false)
                }
                Some(found) => (HeartbeatChange::Write(life::define(found, Origin::Config, *definition, now)), true),
                None => (HeartbeatChange::Write(life::new(name, Origin::Config, *definition, now)), true),
            };
            touched += usize::from(self.store.change_heartbeat(name, decide).await?.unwrap_or_default());
        }
        for name in self.store.configured_heartbeats().await? {
            if self.rules.configured.contains_key(&name) {
                continue;
            }
            let decide = |found: Option<Heartbeat>| match found {
                Some(found) if is_of_config(&found) => (removal(found, now), true),
                _ => (HeartbeatChange::Leave, false),
            };
            touched += usize::from(self.store.change_heartbeat(&name, decide).await?.unwrap_or_default());
        }
        Ok(touched)
    }

    /// Marks one late whose time is up. Answers whether it was.
    ///
    /// # Errors
    /// As the database says.
    pub async fn mark_late(&self, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        let decide = |found: Option<Heartbeat>| match found.and_then(|found| life::late(found, now)) {
            Some(late) => (HeartbeatChange::Write(late), true),
            None => (HeartbeatChange::Leave, false),
        };
        Ok(self.store.change_heartbeat(name, decide).await?.unwrap_or_default())
    }
}

fn is_of_config(heartbeat: &Heartbeat) -> bool {
    heartbeat.origin == Origin::Config && heartbeat.state != HeartbeatState::Removed
}

fn removal(heartbeat: Heartbeat, now: Timestamp) -> HeartbeatChange {
    life::remove(heartbeat, now).map_or(HeartbeatChange::Delete, HeartbeatChange::Write)
}
