//! `[store]`: the database of what must not be lost: bookings, deliveries, API keys.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::authority::{self, UrlError};
use crate::check::Check;
use crate::duration;
use crate::queue_url::SqliteTarget;
use crate::secret::{self, Secret};

/// The store's settings.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// SQLite file or Postgres.
    pub url: StoreUrl,
    /// Connections a process may hold to Postgres, 1…1000. (SQLite: readers; there is always one writer.)
    pub max_connections: u32,
    /// How long a call waits for a free connection before it answers "away".
    #[serde(deserialize_with = "duration::deserialize")]
    pub acquire_timeout: Duration,
    /// Whether `api` and `worker` apply missing migrations when they start.
    pub migrate_on_start: bool,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            url: StoreUrl::Sqlite(SqliteTarget::File(PathBuf::from("postrider-data/store.db"))),
            max_connections: 16,
            acquire_timeout: Duration::from_secs(5),
            migrate_on_start: true,
        }
    }
}

impl Store {
    pub(crate) fn validate(&self, check: &mut Check) {
        check.number("max_connections", self.max_connections, 1..=1000);
        check.time("acquire_timeout", self.acquire_timeout, Duration::from_millis(100)..=Duration::from_secs(60));
    }
}

/// `store.url`, parsed. `Display` masks user and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// `sqlite:PATH` or `sqlite::memory:`
    Sqlite(SqliteTarget),
    /// `postgres://user:password@host:port/database?sslmode=…`, handed to the driver as it is.
    Postgres(Secret),
}

impl StoreUrl {
    /// The URL as the driver takes it, password included: never for a log line.
    #[must_use]
    pub fn expose(&self) -> String {
        match self {
            Self::Sqlite(target) => target.to_string(),
            Self::Postgres(url) => url.expose().to_owned(),
        }
    }
}

impl FromStr for StoreUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if let Some(target) = text.strip_prefix("sqlite:") {
            return target.parse().map(Self::Sqlite);
        }
        let Some(rest) = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://")) else {
            return Err(UrlError::new("must begin with sqlite: or postgres://"));
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        // A socket folder is given as ?host=/path, so the authority itself may be empty.
        if !authority.is_empty() && !authority.ends_with('@') {
            authority::parse(authority, 5432)?;
        }
        if path.split('?').next().is_none_or(str::is_empty) {
            return Err(UrlError::new("lacks the database's name: postgres://user@host/NAME"));
        }
        Ok(Self::Postgres(Secret::from(text.to_owned())))
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(target) => target.fmt(f),
            Self::Postgres(url) => f.write_str(&secret::mask_urls(url.expose())),
        }
    }
}

impl<'de> Deserialize<'de> for StoreUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::StoreUrl;

    #[test]
    fn postgres_urls_keep_their_text_and_hide_their_password() {
        let url: StoreUrl = "postgres://u:p@db.example:5433/postrider?sslmode=require".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://[secret]@db.example:5433/postrider?sslmode=require");
        assert!(!format!("{url:?}").contains("p@"));
    }

    #[test]
    fn a_url_without_database_or_of_another_kind_is_refused() {
        for bad in ["postgres://h", "postgres://h/", "postgres://h:x/db", "mysql://h/db", ""] {
            assert!(bad.parse::<StoreUrl>().is_err(), "{bad}");
        }
    }
}
