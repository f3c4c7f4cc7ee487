//! A mail whose reader has another address now: it goes there, under the key that it has.

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::begin::bits;
use super::insert::recipient_key;
use crate::bookings::Party;
use crate::db::{At, Store};
use crate::error::StoreError;
use crate::people::ERASED_ADDRESS;

impl Store {
    /// Makes `party` the recipient of a mail that the attempt under `lease_token` has begun, before its body. Answers
    /// `false`, and changes nothing, if the mail is another attempt's or further than that, or its reader was erased.
    /// Repeating it is harmless.
    ///
    /// # Errors
    /// As the database says.
    pub async fn readdress(
        &self,
        id: Uuid,
        lease_token: u64,
        party: &Party,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let changed = self
            .write_one()
            .await?
            .sql(AssertSqlSafe(format!(
                "UPDATE deliveries
                     SET recipient = $3, recipient_key = $4, recipient_name = $5, locale = $6, touched_at = $7
                     WHERE id = $1 AND lease_token = $2 AND state = 'sending' AND phase = 'envelope'
                       AND recipient <> '{ERASED_ADDRESS}'"
            )))
            .bind(id)
            .bind(bits(lease_token))
            .bind(party.email.as_str())
            .bind(recipient_key(&party.email))
            .bind(party.name.as_str())
            .bind(party.locale.as_deref())
            .bind(At(now))
            .run()
            .await?;
        Ok(changed > 0)
    }
}
