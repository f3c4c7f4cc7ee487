//! `[alerts]`: how the operators are reached when mail is what failed.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::check::Check;
use crate::secret::Secret;

/// How the operators are reached.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alerts {
    /// Where notices are posted; none: only the log has them.
    #[serde(default)]
    pub webhook: Option<WebhookUrl>,
    /// Signs them (Standard Webhooks): `whsec_` and base64.
    #[serde(default)]
    pub webhook_secret: Option<Secret>,
    /// That there is no other way to the operators than mail is meant so.
    pub mail_only: bool,
}

impl Alerts {
    pub(crate) fn validate(&self, check: &mut Check) {
        if let Some(secret) = &self.webhook_secret {
            check.that(self.webhook.is_some(), "webhook_secret", "signs nothing: alerts.webhook is not set");
            let body = secret.expose().strip_prefix("whsec_").unwrap_or_default();
            let fits = body.len() >= 32 && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
            check.that(fits, "webhook_secret", "must be whsec_ and the base64 of at least 24 random bytes");
        }
    }
}

/// A webhook's URL. Its path is often as good as a password, so it is shown without.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl {
    url: String,
    host: String,
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
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
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
        Ok(Self { url: text.to_owned(), host: host.to_ascii_lowercase() })
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
