//! Where jobs wait: a SQLite file, or Redis.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _};

use crate::authority::UrlError;
use crate::redis_url::{self, RedisUrl};

/// `queue.url`, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueUrl {
    /// `sqlite:PATH` or `sqlite::memory:`
    Sqlite(SqliteTarget),
    /// `redis://…` and its five sisters.
    Redis(RedisUrl),
}

/// A SQLite database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqliteTarget {
    /// A file; its folder is made when it is opened.
    File(PathBuf),
    /// In memory, gone with the process: for tests.
    Memory,
}

impl FromStr for SqliteTarget {
    type Err = UrlError;

    /// Reads what follows `sqlite:`; `//` before the path is accepted.
    fn from_str(text: &str) -> Result<Self, UrlError> {
        let path = text.strip_prefix("//").unwrap_or(text);
        if path == ":memory:" {
            return Ok(Self::Memory);
        }
        if path.is_empty() || path.contains(['?', '\0']) {
            return Err(UrlError::new("needs a file path after `sqlite:`, without ?parameters"));
        }
        Ok(Self::File(PathBuf::from(path)))
    }
}

impl fmt::Display for SqliteTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "sqlite:{}", path.display()),
            Self::Memory => f.write_str("sqlite::memory:"),
        }
    }
}

impl FromStr for QueueUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if let Some(target) = text.strip_prefix("sqlite:") {
            return target.parse().map(Self::Sqlite);
        }
        match text.split_once("://") {
            Some((scheme, _)) if redis_url::is_redis_scheme(scheme) => text.parse().map(Self::Redis),
            _ => Err(UrlError::new(
                "must begin with sqlite:, redis://, rediss://, redis+sentinel://, rediss+sentinel://, redis+cluster:// \
                 or rediss+cluster://",
            )),
        }
    }
}

impl fmt::Display for QueueUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(target) => target.fmt(f),
            Self::Redis(url) => url.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for QueueUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{QueueUrl, SqliteTarget};

    #[test]
    fn sqlite_is_a_file_or_memory() {
        let parse = |text: &str| text.parse::<QueueUrl>();
        assert_eq!(parse("sqlite::memory:"), Ok(QueueUrl::Sqlite(SqliteTarget::Memory)));
        assert_eq!(parse("sqlite:a/b.db"), Ok(QueueUrl::Sqlite(SqliteTarget::File("a/b.db".into()))));
        assert_eq!(parse("sqlite:///var/q.db"), Ok(QueueUrl::Sqlite(SqliteTarget::File("/var/q.db".into()))));
        assert!(parse("sqlite:").is_err());
    }

    #[test]
    fn another_scheme_is_answered_with_the_ones_there_are() {
        let error = "amqp://h".parse::<QueueUrl>().unwrap_err().to_string();
        assert!(error.contains("redis+sentinel://"), "{error}");
    }
}
