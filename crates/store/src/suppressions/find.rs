//! Asking whether an address may be written to: every mail does, so those that ask at the same moment share a statement.

use std::collections::HashMap;

use sqlx::AssertSqlSafe;
use sqlx::types::Json;

use super::record::{Suppression, suppression_columns};
use crate::db::{Backend, Record, Row, Store};
use crate::deliveries::{Category, recipient_key};
use crate::error::StoreError;

/// Who is asked about: an address in lower case, and what stands for it among those that were erased.
#[derive(Clone)]
pub(crate) struct Asked {
    address: String,
    hashes: Vec<String>,
}

/// What is in force against an address, or against the hash of one.
struct InForce {
    against: String,
    suppression: Suppression,
}

impl Record for InForce {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { against: row.get("against")?, suppression: Suppression::read(row)? })
    }
}

impl Store {
    /// What holds mails of `category` to `address`, the oldest reason first; none: it may be written to. `hashes` stand
    /// for the address among those that were erased, one a key that may have made one.
    ///
    /// The answer is of after the call: what was committed before it counts.
    ///
    /// # Errors
    /// As the database says.
    pub async fn find_suppression(
        &self,
        address: &str,
        hashes: &[String],
        category: Category,
    ) -> Result<Option<Suppression>, StoreError> {
        let asked = Asked { address: recipient_key(address), hashes: hashes.to_vec() };
        let store = self.clone();
        let run = move |asked: Vec<Asked>| {
            let store = store.clone();
            async move { store.in_force(&asked).await }
        };
        let found = self.batches().suppressions.ask(asked, run).await?;
        let holding = found.into_iter().filter(|suppression| suppression.covers.includes(category));
        Ok(holding.min_by_key(|suppression| suppression.created_at))
    }

    /// All that is in force against each.
    async fn in_force(&self, asked: &[Asked]) -> Result<Vec<Vec<Suppression>>, StoreError> {
        let addresses: Vec<&str> = asked.iter().map(|one| one.address.as_str()).collect();
        let hashes: Vec<&str> = asked.iter().flat_map(|one| &one.hashes).map(String::as_str).collect();
        let mut session = self.read().await?;
        let text = finding(self.backend(), !hashes.is_empty());
        let mut statement = session.sql(AssertSqlSafe(text)).bind(Json(addresses)).planned_afresh();
        if !hashes.is_empty() {
            statement = statement.bind(Json(hashes));
        }
        let mut found: HashMap<String, Vec<Suppression>> = HashMap::new();
        for InForce { against, suppression } in statement.all().await? {
            found.entry(against).or_default().push(suppression);
        }
        let of = |one: &Asked| {
            let names = std::iter::once(&one.address).chain(&one.hashes);
            names.filter_map(|name| found.get(name)).flatten().cloned().collect()
        };
        Ok(asked.iter().map(of).collect())
    }
}

/// What is in force against the addresses of the JSON array $1 and the hashes of $2.
fn finding(backend: Backend, with_hashes: bool) -> String {
    let each = backend.each_text();
    let columns = suppression_columns!();
    let by_address = format!(
        "SELECT address AS against, {columns} FROM suppressions
         WHERE lifted_at IS NULL AND address IN (SELECT value FROM {each}($1))"
    );
    if !with_hashes {
        return by_address;
    }
    format!(
        "{by_address}
         UNION ALL
         SELECT address_hash, {columns} FROM suppressions
         WHERE lifted_at IS NULL AND address IS NULL AND address_hash IN (SELECT value FROM {each}($2))"
    )
}
