//! A URL, taken apart.

use hyper::Uri;
use std::net::IpAddr;

use crate::error::OutboundError;

/// Where a call goes.
pub struct Target {
    /// Whether it is `https`.
    pub tls: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The value of the Host header.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

impl Target {
    /// Reads `https://host[:port]/path?query`.
    pub fn parse(url: &str) -> Result<Self, OutboundError> {
        let wrong = |why: &str| OutboundError::Url(format!("the URL {why}"));
        let uri: Uri = url.parse().map_err(|_| wrong("cannot be read"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("must begin with https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("must not carry a user"));
        }
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(wrong("names no host"));
        }
        Ok(Self {
            tls,
            host: host.to_ascii_lowercase(),
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }

    /// The address, where the URL names one instead of a host.
    pub fn literal(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn a_url_is_taken_apart() {
        let target = Target::parse("https://Hooks.example.com:8443/a/b?c=d").unwrap();
        assert_eq!((target.tls, target.host.as_str(), target.port), (true, "hooks.example.com", 8443));
        assert_eq!((target.authority.as_str(), target.path.as_str()), ("Hooks.example.com:8443", "/a/b?c=d"));
        let six = Target::parse("http://[::1]/").unwrap();
        assert_eq!((six.port, six.literal()), (80, Some("::1".parse().unwrap())));
        assert_eq!(Target::parse("https://example.com").unwrap().path, "/");
    }

    #[test]
    fn other_urls_are_refused() {
        for url in [
            "",
            "example.com",
            "ftp://example.com/",
            "https://user:pw@example.com/",
            "https:///x",
            "file:///etc/passwd",
            "https://a b/",
        ] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }
}
