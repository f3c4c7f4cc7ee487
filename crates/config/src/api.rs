//! `[api]`: the HTTP listener and what it lets in.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use crate::check::Check;
use crate::{duration, size};

/// Settings of the API process.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where `/metrics` is served outside `dev`, apart from the public listener.
    pub metrics_listen: SocketAddr,
    /// The base of links in mails, without a path at its end; none: `http://` and `listen`.
    #[serde(default)]
    pub public_url: Option<String>,
    /// How long one request may take before it is answered 503.
    #[serde(deserialize_with = "duration::deserialize")]
    pub request_timeout: Duration,
    /// The largest body, in bytes, of a call that is not a batch.
    #[serde(deserialize_with = "size::deserialize")]
    pub body_limit: usize,
    /// The largest body, in bytes, of a batch.
    #[serde(deserialize_with = "size::deserialize")]
    pub batch_body_limit: usize,
    /// How many calls one key may make.
    pub rate_limit: RateLimit,
}

/// A token bucket for each API key: `burst` calls at once, refilled at `per_second`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Calls a second in the long run, 1…10,000,000. A batch is one call.
    pub per_second: u32,
    /// Calls at once, 1…10,000,000.
    pub burst: u32,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            metrics_listen: SocketAddr::from(([127, 0, 0, 1], 9090)),
            public_url: None,
            request_timeout: Duration::from_secs(30),
            body_limit: 1 << 20,
            batch_body_limit: 8 << 20,
            rate_limit: RateLimit { per_second: 50_000, burst: 100_000 },
        }
    }
}

impl Api {
    /// `public_url`, or `http://` and the address that is listened on.
    #[must_use]
    pub fn base_url(&self) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://{}", self.listen))
    }

    pub(crate) fn validate(&self, check: &mut Check) {
        check.time("request_timeout", self.request_timeout, Duration::from_secs(1)..=Duration::from_mins(5));
        check.number("body_limit", self.body_limit, 1 << 10..=64 << 20);
        check.number("batch_body_limit", self.batch_body_limit, 1 << 10..=64 << 20);
        check.number("rate_limit.per_second", self.rate_limit.per_second, 1..=10_000_000);
        check.number("rate_limit.burst", self.rate_limit.burst, 1..=10_000_000);
        let same = self.listen.port() != 0 && self.listen == self.metrics_listen;
        check.that(!same, "metrics_listen", "must differ from api.listen");
        if let Some(url) = &self.public_url {
            let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            let fits = host.is_some_and(|h| !h.is_empty() && !h.contains(['/', '?', '#', '@', ' ', '"', '<', '>']));
            check.that(fits, "public_url", "must be http:// or https:// and a host, without a path at its end");
        }
    }
}
