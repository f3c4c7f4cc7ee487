//! API keys. A key is `pr_` and 256 random bits; it is shown once, and only its SHA-256 is kept. A slow hash would add
//! nothing to a secret that cannot be guessed.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use jiff::Timestamp;
use secrecy::SecretString;
use sqlx::types::Json;
use uuid::Uuid;

use crate::db::{At, Record, Row, Store};
use crate::error::StoreError;
use crate::words::words;

/// Characters of a key that are kept in clear, so that its owner recognises it: `pr_` and 30 of the 256 bits.
const PREFIX_LENGTH: usize = 8;

words! {
    /// What a key may be used for.
    pub enum Scope {
        /// Enqueue jobs of public kinds.
        JobsWrite = "jobs:write",
        /// Read jobs and queues.
        JobsRead = "jobs:read",
        /// Enqueue jobs of internal kinds too.
        JobsInternal = "jobs:internal",
        /// Report booking events.
        BookingsWrite = "bookings:write",
        /// Report search events.
        SearchWrite = "search:write",
        /// Raise alerts.
        AlertsWrite = "alerts:write",
        /// Send e-mails.
        EmailsWrite = "emails:write",
        /// Report delivery status notifications.
        InboundWrite = "inbound:write",
        /// Manage sending domains.
        DomainsAdmin = "domains:admin",
        /// Everything.
        Admin = "admin",
    }
}

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// The row's id.
    pub id: Uuid,
    /// Who or what uses it.
    pub name: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// Requests a second; none is the configured default.
    pub rate_per_second: Option<u32>,
}

/// A key as it is listed: everything but the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The row's id.
    pub id: Uuid,
    /// Who or what uses it.
    pub name: String,
    /// The key's first characters.
    pub prefix: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// Requests a second; none is the configured default.
    pub rate_per_second: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stopped being valid.
    pub revoked_at: Option<Timestamp>,
    /// When it was last seen, roughly: the API writes this at most once in a while.
    pub last_used_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether the key may be used for `scope`; `admin` may do everything.
    #[must_use]
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|held| *held == scope || *held == Scope::Admin)
    }
}

/// A key that was just made.
#[derive(Debug)]
pub struct CreatedApiKey {
    /// What is kept of it.
    pub key: ApiKey,
    /// The key itself. It cannot be shown again.
    pub secret: SecretString,
}

impl Record for ApiKey {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            name: row.get("name")?,
            prefix: row.get("prefix")?,
            scopes: row.get::<Json<Vec<Scope>>>("scopes")?.0,
            rate_per_second: row.optional_number("rate_per_second")?,
            created_at: row.get::<At>("created_at")?.0,
            revoked_at: row.get::<Option<At>>("revoked_at")?.map(|at| at.0),
            last_used_at: row.get::<Option<At>>("last_used_at")?.map(|at| at.0),
        })
    }
}

impl Store {
    /// Makes a key.
    ///
    /// # Errors
    /// As the database says.
    pub async fn create_api_key(&self, new: &NewApiKey, now: Timestamp) -> Result<CreatedApiKey, StoreError> {
        let secret = random_key();
        let created = self
            .write_one()
            .await?
            .sql(
                "INSERT INTO api_keys (id, name, prefix, sha256, scopes, rate_per_second, created_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)
                 RETURNING id, name, prefix, scopes, rate_per_second, created_at, revoked_at, last_used_at",
            )
            .bind(new.id)
            .bind(new.name.as_str())
            .bind(&secret[..PREFIX_LENGTH])
            .bind(sha256(&secret))
            .bind(Json(new.scopes.as_slice()))
            .bind(new.rate_per_second.map(i64::from))
            .bind(At(now))
            .optional()
            .await?;
        let key = created.ok_or_else(|| StoreError::Corrupt("api_keys: an insert answered with no row".to_owned()))?;
        Ok(CreatedApiKey { key, secret: SecretString::from(secret) })
    }

    /// All keys, newest first, revoked ones too.
    ///
    /// # Errors
    /// As the database says.
    pub async fn list_api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.read()
            .await?
            .sql(
                "SELECT id, name, prefix, scopes, rate_per_second, created_at, revoked_at, last_used_at
                 FROM api_keys ORDER BY created_at DESC, id DESC",
            )
            .all()
            .await
    }

    /// Ends a key's validity. Answers whether it was valid until now.
    ///
    /// # Errors
    /// As the database says.
    pub async fn revoke_api_key(&self, id: Uuid, now: Timestamp) -> Result<bool, StoreError> {
        let changed = self
            .write_one()
            .await?
            .sql("UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
            .bind(id)
            .bind(At(now))
            .run()
            .await?;
        Ok(changed > 0)
    }

    /// The valid key that `presented` is. The look-up is by hash, so its timing tells nothing about any key.
    ///
    /// # Errors
    /// As the database says.
    pub async fn find_api_key(&self, presented: &str) -> Result<Option<ApiKey>, StoreError> {
        self.read()
            .await?
            .sql(
                "SELECT id, name, prefix, scopes, rate_per_second, created_at, revoked_at, last_used_at
                 FROM api_keys WHERE sha256 = $1 AND revoked_at IS NULL",
            )
            .bind(sha256(presented))
            .optional()
            .await
    }

    /// Notes that a key was used.
    ///
    /// # Errors
    /// As the database says.
    pub async fn touch_api_key(&self, id: Uuid, now: Timestamp) -> Result<(), StoreError> {
        self.write_one()
            .await?
            .sql("UPDATE api_keys SET last_used_at = $2 WHERE id = $1")
            .bind(id)
            .bind(At(now))
            .run()
            .await?;
        Ok(())
    }
}

/// A new key from the operating system's randomness: a secret is the one thing here that must not be reproducible.
fn random_key() -> String {
    let mut bits = [0; 32];
    SystemRandom::new().fill(&mut bits).expect("the operating system gives random bytes or the process cannot go on");
    format!("pr_{}", base64url(&bits))
}

fn sha256(key: &str) -> Vec<u8> {
    digest(&SHA256, key.as_bytes()).as_ref().to_vec()
}

/// RFC 4648 §5, without padding.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(group >> (18 - 6 * digit) & 63) as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_agrees_with_the_vectors_of_rfc_4648() {
        let vectors = [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE")];
        for (bytes, text) in vectors {
            assert_eq!(base64url(bytes.as_bytes()), text);
        }
        assert_eq!(base64url(&[0xfb, 0xff, 0xfe]), "-__-");
    }

    #[test]
    fn a_key_has_its_mark_and_256_bits_and_no_two_are_alike() {
        let (one, other) = (random_key(), random_key());
        assert!(one.starts_with("pr_"));
        assert_eq!(one.len(), 3 + 43);
        assert_ne!(one, other);
    }
}
