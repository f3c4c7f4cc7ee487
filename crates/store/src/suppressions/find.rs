//! Asking whether an address may be written to.

use sqlx::AssertSqlSafe;

use super::record::{Covers, Suppression, suppression_columns};
use crate::db::Store;
use crate::deliveries::{Category, recipient_key};
use crate::error::StoreError;

impl Store {
    /// What holds mails of `category` to `address`, the oldest reason first; none: it may be written to. `hashes` stand
    /// for the address among those that were erased, one a key that may have made one.
    ///
    /// # Errors
    /// As the database says.
    pub async fn find_suppression(
        &self,
        address: &str,
        hashes: &[String],
        category: Category,
    ) -> Result<Option<Suppression>, StoreError> {
        let covering: Vec<String> =
            Covers::ALL.iter().filter(|covers| covers.includes(category)).map(|covers| format!("'{covers}'")).collect();
        let hashed = match hashes.len() {
            0 => String::new(),
            n => {
                let places: Vec<String> = (2..n + 2).map(|place| format!("${place}")).collect();
                format!(" OR (address IS NULL AND address_hash IN ({}))", places.join(", "))
            }
        };
        let text = format!(
            "SELECT {columns} FROM suppressions
             WHERE lifted_at IS NULL AND covers IN ({covering}) AND (address = $1{hashed})
             ORDER BY created_at LIMIT 1",
            columns = suppression_columns!(),
            covering = covering.join(", "),
        );
        let mut session = self.read().await?;
        let mut statement = session.sql(AssertSqlSafe(text)).bind(recipient_key(address));
        for hash in hashes {
            statement = statement.bind(hash.as_str());
        }
        statement.optional().await
    }
}
