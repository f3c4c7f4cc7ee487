//! By which ids the marketplace knows a person: those of its users whose bookings have their address.

use super::find;
use crate::bookings::Party;
use crate::db::Store;
use crate::deliveries::recipient_key;
use crate::error::StoreError;

impl Store {
    /// The ids of the users whose bookings have this address; none where they are erased, or never booked.
    ///
    /// # Errors
    /// As the database says.
    pub async fn person_ids(&self, address: &str) -> Result<Vec<String>, StoreError> {
        let address = recipient_key(address);
        let bookings = find::bookings(&mut self.read().await?, self.backend(), &address).await?;
        let mut ids = Vec::new();
        for id in &bookings {
            let Some(booking) = self.get_booking(id).await? else { continue };
            let is_them = |party: &&Party| party.email.to_lowercase() == address;
            ids.extend([&booking.student, &booking.instructor].into_iter().filter(is_them).map(|p| p.id.clone()));
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }
}
