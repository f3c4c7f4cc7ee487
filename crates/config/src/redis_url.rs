//! The six forms of a Redis URL: standalone, Sentinel and Cluster, each with or without TLS.

use std::fmt;
use std::str::FromStr;

use crate::authority::{self, HostPort, UrlError};
use crate::secret::Secret;

/// A Redis installation and how to log in. `Debug` and `Display` do not show the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisUrl {
    /// One server, Sentinels, or Cluster seeds.
    pub topology: RedisTopology,
    /// `rediss…://`: TLS, with the certificate checked.
    pub tls: bool,
    /// ACL user; `None` is Redis's own `default` user.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
}

/// What the hosts of a [`RedisUrl`] are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisTopology {
    /// `redis://host:port/db`
    Standalone {
        /// The server.
        host: HostPort,
        /// The database number, 0 unless given.
        db: i64,
    },
    /// `redis+sentinel://host:port,host:port/master-name/db`; user and password are those of the data servers
    /// (`queue.redis.sentinel_user` and `sentinel_password` for the Sentinels).
    Sentinel {
        /// The Sentinels; any of them may be away.
        hosts: Vec<HostPort>,
        /// The name under which they watch the master.
        master: String,
        /// The database number, 0 unless given.
        db: i64,
    },
    /// `redis+cluster://host:port,host:port`
    Cluster {
        /// Nodes to learn the others from; any of them may be away.
        seeds: Vec<HostPort>,
    },
}

const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// Whether `scheme` is one of the six.
pub(crate) fn is_redis_scheme(scheme: &str) -> bool {
    scheme_parts(scheme).is_some()
}

fn scheme_parts(scheme: &str) -> Option<(bool, &str)> {
    let (base, form) = scheme.split_once('+').unwrap_or((scheme, ""));
    let tls = match base {
        "redis" => false,
        "rediss" => true,
        _ => return None,
    };
    matches!((form, scheme.contains('+')), ("", false) | ("sentinel" | "cluster", true)).then_some((tls, form))
}

impl FromStr for RedisUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| UrlError::new("is not a Redis URL"))?;
        let (tls, form) = scheme_parts(scheme).ok_or_else(|| UrlError::new("is not a Redis URL"))?;
        if rest.contains(['?', '#']) {
            return Err(UrlError::new("takes no ?parameters: the other settings are keys under queue.redis"));
        }
        // The path starts after the authority; a password may not hold a raw `/` (it is written %2F).
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let port = if form == "sentinel" { SENTINEL_PORT } else { REDIS_PORT };
        let parsed = authority::parse(authority, port)?;
        let mut hosts = parsed.hosts;
        let topology = match form {
            "sentinel" => {
                let (master, db) = path.split_once('/').unwrap_or((path, ""));
                if master.is_empty() {
                    return Err(UrlError::new("lacks the master's name: redis+sentinel://host:port,host:port/NAME"));
                }
                RedisTopology::Sentinel { hosts, master: master.to_owned(), db: database(db)? }
            }
            "cluster" => {
                if !path.is_empty() && path != "0" {
                    return Err(UrlError::new("names a database, but a Cluster has only database 0"));
                }
                RedisTopology::Cluster { seeds: hosts }
            }
            _ => {
                if hosts.len() > 1 {
                    return Err(UrlError::new("names several hosts: that is redis+sentinel:// or redis+cluster://"));
                }
                RedisTopology::Standalone { host: hosts.remove(0), db: database(path)? }
            }
        };
        Ok(Self { topology, tls, user: parsed.user, password: parsed.password })
    }
}

fn database(text: &str) -> Result<i64, UrlError> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse::<u16>().map(i64::from).map_err(|_| UrlError::new("ends in a database that is not a number, like /0"))
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (form, hosts, path) = match &self.topology {
            RedisTopology::Standalone { host, db } => ("", std::slice::from_ref(host), format!("/{db}")),
            RedisTopology::Sentinel { hosts, master, db } => ("+sentinel", hosts.as_slice(), format!("/{master}/{db}")),
            RedisTopology::Cluster { seeds } => ("+cluster", seeds.as_slice(), String::new()),
        };
        let tls = if self.tls { "s" } else { "" };
        let user = if self.user.is_some() || self.password.is_some() { "[secret]@" } else { "" };
        let hosts = hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        write!(f, "redis{tls}{form}://{user}{hosts}{path}")
    }
}

#[cfg(test)]
mod tests {
    use super::RedisUrl;

    fn shown(text: &str) -> String {
        text.parse::<RedisUrl>().map_or_else(|e| format!("error: {e}"), |url| url.to_string())
    }

    #[test]
    fn every_form_is_read_and_shown_without_its_password() {
        assert_eq!(shown("redis://localhost"), "redis://localhost:6379/0");
        assert_eq!(shown("rediss://u:p@r.example:7000/2"), "rediss://[secret]@r.example:7000/2");
        assert_eq!(shown("redis+sentinel://a,b:5/main"), "redis+sentinel://a:26379,b:5/main/0");
        assert_eq!(shown("rediss+sentinel://:p@a/main/3"), "rediss+sentinel://[secret]@a:26379/main/3");
        assert_eq!(shown("redis+cluster://a:1,b:2,[::1]:3"), "redis+cluster://a:1,b:2,[::1]:3");
        assert_eq!(shown("rediss+cluster://a"), "rediss+cluster://a:6379");
    }

    #[test]
    fn what_cannot_work_says_why() {
        assert!(shown("redis://a,b").contains("several hosts"));
        assert!(shown("redis://a/x").contains("not a number"));
        assert!(shown("redis+sentinel://a").contains("master's name"));
        assert!(shown("redis+cluster://a/1").contains("only database 0"));
        assert!(shown("redis://a?protocol=3").contains("?parameters"));
        assert!(shown("redis+://a").contains("not a Redis URL"));
        assert!(shown("redis+tls://a").contains("not a Redis URL"));
    }
}
