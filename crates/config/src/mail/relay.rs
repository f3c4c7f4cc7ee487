//! The SMTP relay as a URL: `smtp://`, `smtps://` (TLS from the first byte), `smtp+starttls://` (TLS or nothing).

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _};

use crate::authority::{self, UrlError};
use crate::secret::Secret;

/// Where mail is handed over. `Display` and `Debug` do not show the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// When TLS begins.
    pub tls: RelayTls,
    /// Name or address; with TLS the certificate must carry it.
    pub host: String,
    /// 1…65535; unless given 25, 465 (`smtps`) or 587 (`smtp+starttls`).
    pub port: u16,
    /// For AUTH; set together with `password`.
    pub user: Option<String>,
    /// For AUTH; only ever sent inside TLS.
    pub password: Option<Secret>,
}

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayTls {
    /// Never: a relay on this machine or in a private network.
    None,
    /// From the first byte (RFC 8314 §3.3).
    Implicit,
    /// By STARTTLS; without it nothing is sent (RFC 3207).
    StartTls,
}

impl Relay {
    /// The catcher of `postrider dev`, and the fakes of tests: plain SMTP at 127.0.0.1.
    #[must_use]
    pub fn loopback(port: u16) -> Self {
        Self { tls: RelayTls::None, host: "127.0.0.1".to_owned(), port, user: None, password: None }
    }
}

impl FromStr for Relay {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (tls, port, rest) = match text.split_once("://") {
            Some(("smtp", rest)) => (RelayTls::None, 25, rest),
            Some(("smtps", rest)) => (RelayTls::Implicit, 465, rest),
            Some(("smtp+starttls", rest)) => (RelayTls::StartTls, 587, rest),
            _ => {
                return Err(UrlError::new("must begin with smtp://, smtps:// or smtp+starttls://"));
            }
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(UrlError::new("has something after the host: only user, password, host and port are read"));
        }
        let mut parsed = authority::parse(rest, port)?;
        if parsed.hosts.len() > 1 {
            return Err(UrlError::new("names several hosts"));
        }
        if parsed.user.is_some() != parsed.password.is_some() {
            return Err(UrlError::new("needs user and password together"));
        }
        if parsed.password.is_some() && tls == RelayTls::None {
            return Err(UrlError::new("would send a password in clear: use smtps:// or smtp+starttls://"));
        }
        let host = parsed.hosts.remove(0);
        Ok(Self { tls, host: host.host, port: host.port, user: parsed.user, password: parsed.password })
    }
}

impl fmt::Display for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.tls {
            RelayTls::None => "smtp",
            RelayTls::Implicit => "smtps",
            RelayTls::StartTls => "smtp+starttls",
        };
        let user = if self.user.is_some() { "[secret]@" } else { "" };
        let host = authority::HostPort { host: self.host.clone(), port: self.port };
        write!(f, "{scheme}://{user}{host}")
    }
}

impl<'de> Deserialize<'de> for Relay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Relay;

    fn shown(text: &str) -> String {
        text.parse::<Relay>().map_or_else(|e| format!("error: {e}"), |relay| relay.to_string())
    }

    #[test]
    fn each_scheme_has_its_port() {
        assert_eq!(shown("smtp://127.0.0.1"), "smtp://127.0.0.1:25");
        assert_eq!(shown("smtps://u:p@mx.example/"), "smtps://[secret]@mx.example:465");
        assert_eq!(shown("smtp+starttls://mx.example:2525"), "smtp+starttls://mx.example:2525");
    }

    #[test]
    fn a_password_never_goes_in_clear() {
        assert!(shown("smtp://u:p@mx.example").contains("password in clear"));
        assert!(shown("smtps://u@mx.example").contains("together"));
    }

    #[test]
    fn other_schemes_and_paths_are_refused() {
        assert!(shown("http://mx.example").contains("smtp+starttls://"));
        assert!(shown("smtp://mx.example/path").contains("after the host"));
    }
}
