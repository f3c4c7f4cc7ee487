//! The configuration's schedules, brought into the store by whoever leads.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::announce;
use super::change::{by_failures, find_to_change, insert, redefine, remove};
use super::lease::{SchedulerLease, leads};
use super::policy::Origin;
use super::record::{Schedule, ScheduleSpec, schedule_columns};
use crate::db::Store;
use crate::error::StoreError;

/// What bringing them up to date has changed, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mirrored {
    /// New ones.
    pub added: Vec<String>,
    /// Those with another definition than before; a person's schedule of the same name is among them, taken over.
    pub changed: Vec<String>,
    /// Those that the configuration no longer has.
    pub removed: Vec<String>,
    /// Those among them that failures had paused, and that are so no more.
    pub unpaused: Vec<String>,
}

impl Mirrored {
    /// Whether everything was as it should be.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

impl Store {
    /// Makes the configuration's schedules be `wanted`: what was decided stays, and so do pauses, but for those by failures of
    /// a definition that is another one now. `None` if `lease` leads no more.
    ///
    /// # Errors
    /// As the database says.
    pub async fn mirror_schedules(
        &self,
        lease: &SchedulerLease,
        wanted: &[(String, ScheduleSpec)],
        now: Timestamp,
    ) -> Result<Option<Mirrored>, StoreError> {
        let mut transaction = self.begin().await?;
        if !leads(&mut transaction, lease).await? {
            return Ok(None);
        }
        let there: Vec<Schedule> =
            transaction.sql(concat!("SELECT ", schedule_columns!(), " FROM schedules ORDER BY name")).all().await?;
        let mut there: BTreeMap<&str, &Schedule> = there.iter().map(|row| (row.name.as_str(), row)).collect();
        let mut mirrored = Mirrored::default();
        for (name, spec) in wanted {
            match there.remove(name.as_str()) {
                None => {
                    insert(&mut transaction, name, Origin::Config, spec, now).await?;
                    mirrored.added.push(name.clone());
                }
                Some(row) if row.origin == Origin::Config && row.spec == *spec => {}
                Some(row) => {
                    let Some(row) = find_to_change(&mut transaction, &row.name).await? else { continue };
                    redefine(&mut transaction, name, row.revision, Origin::Config, spec, now).await?;
                    mirrored.changed.push(name.clone());
                    mirrored.unpaused.extend(by_failures(row.paused).map(|_| name.clone()));
                }
            }
        }
        for (name, _) in there.into_iter().filter(|(_, row)| row.origin == Origin::Config) {
            let paused = find_to_change(&mut transaction, name).await?.and_then(|row| by_failures(row.paused));
            mirrored.unpaused.extend(paused.map(|_| name.to_owned()));
            remove(&mut transaction, name, now).await?;
            mirrored.removed.push(name.to_owned());
        }
        if !mirrored.is_empty() {
            announce(&mut transaction).await?;
        }
        transaction.commit().await?;
        Ok(Some(mirrored))
    }
}
