//! The address of a webhook: parsed once, and never shown whole.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::check::Check;
use crate::outbound::Outbound;
use crate::secret::Secret;

/// A webhook's URL. Its path is often as good as a password, so it is shown without.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl {
    url: String,
    host: String,
    encrypted: bool,
}

impl WebhookUrl {
    /// The whole URL: for the call, never for a log line.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.url
    }

    /// Its host, in lower case.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl FromStr for WebhookUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let secure = text.strip_prefix("https://");
        let rest = secure.or_else(|| text.strip_prefix("http://"));
        let rest = rest.ok_or("must begin with https:// (http:// only to what outbound.allow lists)")?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err("must not carry a user");
        }
        let host = match authority.strip_prefix('[') {
            Some(six) => six.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        };
        if host.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("must name a host, in plain ASCII without blanks");
        }
        Ok(Self { url: text.to_owned(), host: host.to_ascii_lowercase(), encrypted: secure.is_some() })
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/…", self.url.split(':').next().unwrap_or_default(), self.host)
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for WebhookUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A webhook that would never be called is none: plain `http://`, and addresses that are not of the Internet, only as far as
/// `outbound.allow` lists them. What a name leads to is known when it is called; that nothing at all is listed is known now.
pub(crate) fn check_callable(check: &mut Check, key: &str, webhook: Option<&WebhookUrl>, outbound: &Outbound) {
    let Some(url) = webhook else { return };
    let ip = url.host.parse::<IpAddr>().ok();
    if url.encrypted && !ip.is_some_and(is_inside) {
        return;
    }
    let listed = match ip {
        Some(ip) => outbound.lists(ip),
        None => !outbound.allow.is_empty(),
    };
    let reason = match url.encrypted {
        true => "is not of the Internet, and outbound.allow does not list it: it would never be called",
        false => "would never be called: http:// is only for addresses that outbound.allow lists; use https://",
    };
    check.that(listed, key, reason);
}

/// An address of this machine or of a private network.
fn is_inside(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// What signs calls of a webhook (Standard Webhooks): `whsec_` and the base64 of at least 24 bytes.
pub(crate) fn check_secret(check: &mut Check, key: &str, secret: Option<&Secret>, webhook: Option<&WebhookUrl>) {
    let Some(secret) = secret else { return };
    check.that(webhook.is_some(), key, "signs nothing: there is no webhook beside it");
    let body = secret.expose().strip_prefix("whsec_").unwrap_or_default();
    let fits = body.len() >= 32 && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
    check.that(fits, key, "must be whsec_ and the base64 of at least 24 random bytes");
}

#[cfg(test)]
mod tests {
    use super::WebhookUrl;

    #[test]
    fn the_path_of_a_webhook_is_not_shown() {
        let url: WebhookUrl = "https://Hooks.example.com:8443/T00/B00/secret".parse().unwrap();
        assert_eq!(format!("{url:?}"), "https://hooks.example.com/…");
        assert_eq!(url.expose(), "https://Hooks.example.com:8443/T00/B00/secret");
        let six: WebhookUrl = "http://[::1]:80/x".parse().unwrap();
        assert_eq!(six.host(), "::1");
    }

    #[test]
    fn what_cannot_be_called_is_refused() {
        for url in
            ["", "hooks.example.com", "ftp://x.test/", "https://", "https:///x", "https://u:p@x.test/", "https://x y/"]
        {
            assert!(url.parse::<WebhookUrl>().is_err(), "{url}");
        }
    }
}
