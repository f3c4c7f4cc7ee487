//! What a relay is and how patiently it is spoken to.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use secrecy::SecretString;

/// Whether and how the connection is encrypted. What is asked for is insisted on: there is no fallback to plain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Not at all: for a relay on the same machine.
    Plain,
    /// STARTTLS after the greeting (RFC 3207), usually port 587.
    StartTls,
    /// TLS from the first byte (RFC 8314 §3.3), usually port 465.
    ImplicitTls,
}

/// Which certificate authorities are believed.
#[derive(Debug, Clone)]
pub enum TlsRoots {
    /// Those of the system.
    System,
    /// These, in PEM.
    Pem(Vec<u8>),
}

/// A name and a password for AUTH PLAIN or LOGIN.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

/// The time limit of each step. RFC 5321 §4.5.3.2 asks for minutes; a queue that tries again later can do with less,
/// except after the dot: giving up there leaves a mail whose fate nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Name lookup and TCP, and again for TLS. Default 10 s.
    pub connect: Duration,
    /// Until the 220. Default 30 s.
    pub greeting: Duration,
    /// Each answer to EHLO, STARTTLS, AUTH, MAIL and RCPT. Default 30 s.
    pub command: Duration,
    /// From DATA to the 354. Default 30 s.
    pub data: Duration,
    /// Writing the message: between one block and the next. Default 60 s.
    pub body: Duration,
    /// From the dot to the answer: content filters run here. Default 10 min (RFC 5321 §4.5.3.2.6).
    pub dot: Duration,
}

impl Timeouts {
    /// How long a dialogue may take up to the 354, each step just within its limit: TCP and TLS, the greeting, the lines of
    /// EHLO and STARTTLS both ways, EHLO again, AUTH, MAIL and RCPT, DATA.
    #[must_use]
    pub fn until_data(&self) -> Duration {
        self.connect * 2 + self.greeting + self.command * 8 + self.data
    }
}

impl Default for Timeouts {
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

/// A relay: where it is, how it is spoken to, and how much at a time.
#[derive(Debug, Clone)]
pub struct RelayConfig {
    /// Its name in logs and in the ledger.
    pub name: String,
    /// Host name or IP address; TLS certificates are checked against it.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Encryption.
    pub security: Security,
    /// AUTH, if the relay wants it.
    pub credentials: Option<Credentials>,
    /// The name given in EHLO; it has an SPF record.
    pub ehlo_name: String,
    /// Time limits.
    pub timeouts: Timeouts,
    /// Connections at a time; more senders wait. At least 1.
    pub max_connections: usize,
    /// Messages over one connection before it is replaced. At least 1.
    pub max_messages_per_connection: u32,
    /// How long an unused connection is kept.
    pub max_idle: Duration,
    /// Certificate authorities.
    pub roots: TlsRoots,
}

impl RelayConfig {
    /// A relay without TLS and AUTH at an address: the mail catcher.
    #[must_use]
    pub fn plain(addr: SocketAddr, ehlo_name: &str) -> Self {
        Self {
            name: "local".to_owned(),
            host: addr.ip().to_string(),
            port: addr.port(),
            security: Security::Plain,
            credentials: None,
            ehlo_name: ehlo_name.to_owned(),
            timeouts: Timeouts::default(),
            max_connections: 16,
            max_messages_per_connection: 1000,
            max_idle: Duration::from_secs(30),
            roots: TlsRoots::System,
        }
    }

    pub(super) fn check(&self) -> Result<(), TransportSetupError> {
        let plain_name = |b: u8| b.is_ascii_alphanumeric() || b".-".contains(&b);
        if self.ehlo_name.is_empty() || !self.ehlo_name.bytes().all(plain_name) {
            return Err(TransportSetupError::EhloName(self.ehlo_name.clone()));
        }
        let is_local = self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if self.credentials.is_some() && self.security == Security::Plain && !is_local {
            return Err(TransportSetupError::PasswordInClear);
        }
        if self.max_connections == 0 || self.max_messages_per_connection == 0 {
            return Err(TransportSetupError::Zero);
        }
        Ok(())
    }
}

/// Why a transport cannot be made from its configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportSetupError {
    /// The EHLO name is no host name.
    #[error("the EHLO name {0:?} is not a host name")]
    EhloName(String),
    /// A password would cross the network unencrypted.
    #[error("a password needs STARTTLS or TLS, unless the relay is on this machine")]
    PasswordInClear,
    /// A limit of 0.
    #[error("max_connections and max_messages_per_connection have to be at least 1")]
    Zero,
    /// No certificate authority could be loaded, or the host name is none.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}
