//! JSON that is the command line's own; what the HTTP API shows too is its own there, so that a script can be moved from
//! one to the other. A test compares them.

use jiff::Timestamp;
use serde::Serialize;
use store::ApiKey;
use uuid::Uuid;

/// A page of a list.
#[derive(Debug, Serialize)]
pub struct List<T> {
    /// What was found.
    pub items: Vec<T>,
    /// Where the next page begins; null at the end.
    pub next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A list that is complete.
    pub fn whole(items: impl IntoIterator<Item = T>) -> Self {
        Self { items: items.into_iter().collect(), next_cursor: None }
    }
}

/// An API key: everything but the key, unless it was just made.
#[derive(Debug, Serialize)]
pub struct KeyView {
    id: Uuid,
    name: String,
    prefix: String,
    scopes: Vec<&'static str>,
    rate_per_second: Option<u32>,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    /// The key itself, where it was just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl KeyView {
    /// The same with the key itself.
    pub fn with_secret(self, secret: &str) -> Self {
        Self { secret: Some(secret.to_owned()), ..self }
    }
}

impl From<&ApiKey> for KeyView {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name.clone(),
            prefix: key.prefix.clone(),
            scopes: key.scopes.iter().map(|scope| scope.as_str()).collect(),
            rate_per_second: key.rate_per_second,
            created_at: key.created_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
            secret: None,
        }
    }
}
