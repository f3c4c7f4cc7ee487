//! `[mail]`: through which relay mail leaves, who may be its sender, and with which key it is signed.
//!
//! Nothing but a profile of this section can be a From. A process without `mail.transport` or without a usable profile
//! starts, but must say that it cannot send: [`Mail::profile`] answers `None`.

mod dns;
mod recipients;
mod relay;
mod sender;

pub use dns::{MailDns, NameServer};
pub use relay::{Relay, RelayTls};
pub use sender::{Dkim, MailClass, Profile, Sender};

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::check::{self, Check};
use crate::duration;
use crate::list;

/// Mail settings.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// The relay; none: nothing can be sent.
    #[serde(default)]
    pub transport: Option<Relay>,
    /// A second relay, for when the first is away; none: mail waits for the first.
    #[serde(default)]
    pub fallback: Option<Relay>,
    /// The domain of senders that are given by their local part only.
    #[serde(default)]
    pub domain: Option<String>,
    /// The domain of the MAIL FROM (bounces); none: `domain`, or the sender's own.
    #[serde(default)]
    pub bounce_domain: Option<String>,
    /// The name this host gives in EHLO (RFC 5321 §4.1.1.1); none: `mail.` and the domain.
    #[serde(default)]
    pub helo: Option<String>,
    /// The addresses from which mail reaches receivers, where no relay of others is between.
    #[serde(default, deserialize_with = "list::deserialize")]
    pub egress: Vec<IpAddr>,
    /// The names by which relays are let in by SPF (`include:`).
    #[serde(default, deserialize_with = "list::deserialize")]
    pub relay_include: Vec<String>,
    /// The addresses from which mail that the second relay takes reaches receivers.
    #[serde(default, deserialize_with = "list::deserialize")]
    pub fallback_egress: Vec<IpAddr>,
    /// The names by which the second relay is let in by SPF.
    #[serde(default, deserialize_with = "list::deserialize")]
    pub fallback_include: Vec<String>,
    /// Whom to ask about domains.
    pub dns: MailDns,
    /// Connections to the relay that a process may hold, 1…1000.
    pub max_connections: u32,
    /// How long an unused connection is kept.
    #[serde(deserialize_with = "duration::deserialize")]
    pub idle_timeout: Duration,
    /// Messages sent over one connection before it is closed, 1…100,000.
    pub max_messages: u32,
    /// To whom mail may leave; none: to everybody, or to nobody but `redirect_to`.
    #[serde(default, deserialize_with = "recipients::deserialize")]
    pub allow_recipients: Option<Vec<String>>,
    /// Who gets all other mail.
    #[serde(default)]
    pub redirect_to: Option<String>,
    /// A folder whose templates replace the compiled-in ones of the same name.
    #[serde(default)]
    pub templates_dir: Option<PathBuf>,
    /// How long each phase of an SMTP dialogue may take.
    pub timeouts: MailTimeouts,
    /// The senders by name, as written; [`Mail::profile`] gives them resolved.
    pub senders: BTreeMap<String, Sender>,
    /// The signing keys by a free name.
    #[serde(default)]
    pub dkim: BTreeMap<String, Dkim>,
}

/// The longest wait in each phase; RFC 5321 §4.5.3.2 names the upper ends.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailTimeouts {
    /// Until the TCP connection stands, and as long again for TLS.
    #[serde(deserialize_with = "duration::deserialize")]
    pub connect: Duration,
    /// From there to the relay's 220.
    #[serde(deserialize_with = "duration::deserialize")]
    pub greeting: Duration,
    /// For each answer to EHLO, STARTTLS, AUTH, MAIL, RCPT, RSET.
    #[serde(deserialize_with = "duration::deserialize")]
    pub command: Duration,
    /// From DATA to 354.
    #[serde(deserialize_with = "duration::deserialize")]
    pub data: Duration,
    /// For writing the body: between one block and the next.
    #[serde(deserialize_with = "duration::deserialize")]
    pub body: Duration,
    /// From the final dot to the answer; too short a wait here makes deliveries of unknown fate.
    #[serde(deserialize_with = "duration::deserialize")]
    pub dot: Duration,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            transport: None,
            fallback: None,
            domain: None,
            bounce_domain: None,
            helo: None,
            egress: Vec::new(),
            relay_include: Vec::new(),
            fallback_egress: Vec::new(),
            fallback_include: Vec::new(),
            dns: MailDns::default(),
            max_connections: 16,
            idle_timeout: Duration::from_secs(30),
            max_messages: 1000,
            allow_recipients: None,
            redirect_to: None,
            templates_dir: None,
            timeouts: MailTimeouts::default(),
            senders: sender::default_senders(),
            dkim: BTreeMap::new(),
        }
    }
}

impl Default for MailTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            greeting: Duration::from_secs(30),
            command: Duration::from_secs(30),
            data: Duration::from_secs(30),
            body: Duration::from_secs(60),
            dot: Duration::from_mins(10),
        }
    }
}

impl Mail {
    /// The sender `name`, resolved: full address, its class, its signing key. `None` if there is no such sender, or it is
    /// given by its local part and `domain` is not set.
    #[must_use]
    pub fn profile(&self, name: &str) -> Option<Profile> {
        self.senders.get(name)?.resolve(name, self)
    }

    /// Every sender that can be resolved, by name.
    pub fn profiles(&self) -> impl Iterator<Item = Profile> + '_ {
        self.senders.iter().filter_map(|(name, sender)| sender.resolve(name, self))
    }

    /// The keys that sign for `domain`, by the name of their table, each with its domain filled in.
    pub fn keys_of<'a>(&'a self, domain: &'a str) -> impl Iterator<Item = Dkim> + 'a {
        self.dkim.values().filter_map(move |key| {
            let signs_for = key.domain.as_deref().or(self.domain.as_deref())?;
            let fits = signs_for.eq_ignore_ascii_case(domain);
            fits.then(|| Dkim { domain: Some(signs_for.to_owned()), ..key.clone() })
        })
    }

    /// The EHLO name: one for all mail, since a connection carries mail of every sender; `None` where no sender can be
    /// resolved and neither it nor a domain is set. Where it is not set it is `mail.` and the domain: `mail.domain`, or that
    /// of the first sender that has a key.
    #[must_use]
    pub fn ehlo_name(&self) -> Option<String> {
        let signing = || self.profiles().find(|profile| profile.dkim.is_some()).or_else(|| self.profiles().next());
        let domain = || self.domain.clone().or_else(|| signing().map(|profile| profile.domain));
        self.helo.clone().or_else(|| domain().map(|domain| format!("mail.{domain}")))
    }

    /// The MAIL FROM domain for mail whose From is at `domain`.
    #[must_use]
    pub fn bounce_domain<'a>(&'a self, domain: &'a str) -> &'a str {
        self.bounce_domain.as_deref().or(self.domain.as_deref()).unwrap_or(domain)
    }

    pub(crate) fn validate(&self, check: &mut Check) {
        for (key, value) in [("domain", &self.domain), ("bounce_domain", &self.bounce_domain), ("helo", &self.helo)] {
            if let Some(value) = value {
                check.domain(key, value);
            }
        }
        for (key, includes) in [("relay_include", &self.relay_include), ("fallback_include", &self.fallback_include)] {
            for include in includes {
                let reason = format!("{include:?} is no name of an SPF record, like spf.relay.example");
                check.that(check::is_spf_name(include), key, reason);
            }
        }
        let alone = self.fallback.is_none() || self.transport.is_some();
        check.that(alone, "fallback", "is for when mail.transport is away, and that is not set");
        let known = !self.fallback_include.is_empty() || !self.fallback_egress.is_empty();
        check.that(
            self.fallback.is_none() || known,
            "fallback",
            "needs fallback_include or fallback_egress: it takes over only where SPF lets it in",
        );
        check.that(
            self.fallback.is_some() || !known,
            "fallback_include",
            "is for mail.fallback, and that is not set (the same holds for fallback_egress)",
        );
        let both = self.transport.as_ref().zip(self.fallback.as_ref());
        check.that(
            both.is_none_or(|(a, b)| !a.host.eq_ignore_ascii_case(&b.host) || a.port != b.port),
            "fallback",
            "has the host and the port of mail.transport: under another login it would be the same relay",
        );
        check.number("max_connections", self.max_connections, 1..=1000);
        check.number("max_messages", self.max_messages, 1..=100_000);
        check.time("idle_timeout", self.idle_timeout, Duration::from_secs(1)..=Duration::from_mins(5));
        let t = &self.timeouts;
        let phases = [
            ("timeouts.connect", t.connect, 5),
            ("timeouts.greeting", t.greeting, 5),
            ("timeouts.command", t.command, 5),
            ("timeouts.data", t.data, 2),
            ("timeouts.body", t.body, 10),
            ("timeouts.dot", t.dot, 10),
        ];
        for (key, value, minutes) in phases {
            check.time(key, value, Duration::from_millis(100)..=Duration::from_mins(minutes));
        }
        recipients::validate(self.allow_recipients.as_deref(), self.redirect_to.as_deref(), check);
        for (name, sender) in &self.senders {
            sender.validate(name, check);
            sender.validate_selector(name, self, check);
        }
        for (name, dkim) in &self.dkim {
            check.name(&format!("dkim.{name}"), name);
            match &dkim.domain {
                Some(domain) => check.domain(&format!("dkim.{name}.domain"), domain),
                None => check.that(
                    self.domain.is_some(),
                    &format!("dkim.{name}.domain"),
                    "must be set, since mail.domain is not",
                ),
            }
            let label = check::is_domain(&format!("{}.x", dkim.selector));
            check.that(label, &format!("dkim.{name}.selector"), "must be a DNS label, like s1 (RFC 6376 §3.1)");
            let named = !dkim.key_file.as_os_str().is_empty();
            check.that(named, &format!("dkim.{name}.key_file"), "must name a file");
        }
    }
}
