//! A mail with everything that was ever done to it.

use jiff::Timestamp;
use uuid::Uuid;

use super::events::DeliveryEvent;
use super::intervene::Action;
use super::record::{Attempt, Delivery};
use super::state::DeliveryState;
use crate::db::{At, Record, Row, Store};
use crate::error::StoreError;

/// A mail, its finished attempts and what was done to it from outside, each oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// The mail.
    pub delivery: Delivery,
    /// Its attempts.
    pub attempts: Vec<Attempt>,
    /// What people and repairs did.
    pub deeds: Vec<Deed>,
    /// What came back: bounces and the like.
    pub events: Vec<DeliveryEvent>,
}

/// An intervention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// When.
    pub at: Timestamp,
    /// What.
    pub action: Action,
    /// The mail's state before.
    pub found: DeliveryState,
    /// Who.
    pub actor: String,
}

impl Record for Deed {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            at: row.get::<At>("at")?.into(),
            action: row.get("action")?,
            found: row.get("found")?,
            actor: row.get("actor")?,
        })
    }
}

impl Store {
    /// A mail with its whole history.
    ///
    /// # Errors
    /// As the database says.
    pub async fn delivery_history(&self, id: Uuid) -> Result<Option<History>, StoreError> {
        let Some((delivery, attempts)) = self.get_delivery(id).await? else { return Ok(None) };
        let deeds = self
            .read()
            .await?
            .sql("SELECT at, action, found, actor FROM delivery_actions WHERE delivery_id = $1 ORDER BY at, id")
            .bind(id)
            .all()
            .await?;
        let events = self.delivery_events(id).await?;
        Ok(Some(History { delivery, attempts, deeds, events }))
    }
}
