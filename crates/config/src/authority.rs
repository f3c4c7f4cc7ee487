//! The part of a URL between `//` and the path: `user:password@host:port`, with several hosts where a scheme allows it
//! (Sentinel, Cluster), which general URL parsers refuse (RFC 3986 §3.2 knows one host).

use std::fmt;

use thiserror::Error;

use crate::secret::Secret;

/// Why a URL cannot be used; continues a sentence and never contains the URL (it may hold a password). Permanent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct UrlError(pub(crate) String);

impl UrlError {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// A host (name, IPv4 or IPv6 address without brackets) and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// Name or address, never empty, IPv6 without brackets.
    pub host: String,
    /// 1…65535.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The parsed authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authority {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    /// At least one.
    pub(crate) hosts: Vec<HostPort>,
}

/// Parses `[user[:password]@]host[:port][,host[:port]…]`; user and password are percent-decoded (RFC 3986 §2.1).
pub(crate) fn parse(text: &str, default_port: u16) -> Result<Authority, UrlError> {
    let (user_info, hosts) = match text.rsplit_once('@') {
        Some((user_info, hosts)) => (Some(user_info), hosts),
        None => (None, text),
    };
    let (mut user, mut password) = (None, None);
    if let Some(info) = user_info {
        let (name, secret) = match info.split_once(':') {
            Some((name, secret)) => (name, Some(secret)),
            None => (info, None),
        };
        if !name.is_empty() {
            user = Some(percent_decode(name)?);
        }
        password = secret.map(percent_decode).transpose()?.map(Secret::from);
    }
    let hosts = hosts.split(',').map(|host| host_port(host, default_port)).collect::<Result<Vec<_>, _>>()?;
    Ok(Authority { user, password, hosts })
}

fn host_port(text: &str, default_port: u16) -> Result<HostPort, UrlError> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, after) =
            rest.split_once(']').ok_or_else(|| UrlError::new("an IPv6 address needs its closing `]`"))?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_| UrlError::new("the address in [ ] is not IPv6"))?;
        (host, after.strip_prefix(':'))
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || !host.chars().all(fits) {
        return Err(UrlError::new("names no usable host"));
    }
    let port = match port {
        None => default_port,
        Some(port) => port
            .parse::<u16>()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| UrlError::new("has a port that is not a number from 1 to 65535"))?,
    };
    Ok(HostPort { host: host.to_owned(), port })
}

fn percent_decode(text: &str) -> Result<String, UrlError> {
    let bad = || UrlError::new("has a broken %-escape in its user or password");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut nibble = || rest.next().and_then(|b| char::from(b).to_digit(16));
            let (high, low) = (nibble().ok_or_else(bad)?, nibble().ok_or_else(bad)?);
            bytes.push(u8::try_from(high * 16 + low).map_err(|_| bad())?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn user_and_password_are_decoded_and_the_last_at_sign_divides() {
        let a = parse("us%40er:p%3Aw%2F@h.example:7", 1).unwrap();
        assert_eq!(a.user.as_deref(), Some("us@er"));
        assert_eq!(a.password.as_ref().map(|p| p.expose()), Some("p:w/"));
        assert_eq!(a.hosts[0].to_string(), "h.example:7");
    }

    #[test]
    fn hosts_take_the_default_port_and_ipv6_keeps_its_brackets_when_shown() {
        let a = parse("a,b:9,[::1]:8,[::1]", 5).unwrap();
        let shown: Vec<_> = a.hosts.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["a:5", "b:9", "[::1]:8", "[::1]:5"]);
    }

    #[test]
    fn broken_authorities_are_refused_without_repeating_them() {
        for bad in ["", "h:0", "h:70000", "h:x", "a,,b", "[::1", "[nonsense]:1", "u:%zz@h", "ho st"] {
            let error = parse(bad, 1).unwrap_err();
            assert!(!error.to_string().is_empty(), "{bad}");
        }
    }
}
