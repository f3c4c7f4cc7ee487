//! Handing one message to a relay over SMTP, and knowing exactly how far it got.
//!
//! The pool is ours and lettre speaks the protocol, because what a failed send may do next hangs on where it failed:
//! 1. A connection is taken from the pool or made (TCP, TLS, greeting, EHLO, AUTH).
//! 2. MAIL, RCPT and DATA (together, where the relay pipelines). Until here a connection that died while it idled is
//!    replaced by a fresh one, silently: nothing was asked of the relay yet.
//! 3. After the 354 the caller's hook runs: the ledger writes that the mail may now leave. If it fails, the connection is
//!    dropped and nothing was sent.
//! 4. The body and the dot are written, the reply is read. A meter below lettre knows which bytes were handed to the
//!    system, so a failure before the dot is told from one after it: before, the relay cannot have the mail; after, it
//!    may ([`SendError::is_uncertain`]).
//! 5. Only a connection whose last reply was read in full goes back to the pool. A send that fails or is cancelled drops it.
//!
//! Each step has its own time limit, and waiting for a free connection as much as all of them up to the 354: who sends a
//! mail hears what the relay did, or that it did nothing ([`SmtpTransport::patience`]).

mod as_data;
mod config;
mod connect;
mod connection;
mod error;
mod patience;
mod pool;
mod wire;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

pub use config::{Credentials, RelayConfig, Security, Timeouts, TlsRoots, TransportSetupError};
pub use error::{SendError, SendErrorKind, SendPhase};

use crate::address::EmailAddress;
use connect::Connector;
use connection::Connection;
use error::Failure;
use pool::Pool;

/// Whom the relay is told that the mail is from and for; the headers are another matter.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// Where bounces go; `None` is the empty path `<>`, for mail that must not bounce.
    pub from: Option<EmailAddress>,
    /// The one recipient.
    pub to: EmailAddress,
}

/// The relay has taken responsibility for the mail (RFC 5321 §4.2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The reply code, 250 as a rule.
    pub code: u16,
    /// The enhanced status code (RFC 3463), as `2.0.0`.
    pub enhanced: Option<String>,
    /// The rest of the reply, often with the relay's queue id.
    pub text: String,
    /// The name of the relay, from its configuration.
    pub relay: String,
}

/// One relay with its connections. Cheap to clone; clones share the pool.
#[derive(Clone)]
pub struct SmtpTransport {
    shared: Arc<Shared>,
}

struct Shared {
    connector: Connector,
    pool: Arc<Pool>,
}

impl SmtpTransport {
    /// A transport for one relay. Nothing is connected yet.
    ///
    /// # Errors
    /// [`TransportSetupError`]: no usable TLS roots, a password without TLS, a name that is none.
    pub fn new(config: RelayConfig) -> Result<Self, TransportSetupError> {
        let pool = Arc::new(Pool::new(config.max_connections, config.max_idle));
        let connector = Connector::new(config)?;
        Ok(Self { shared: Arc::new(Shared { connector, pool }) })
    }

    /// The name of the relay.
    #[must_use]
    pub fn relay(&self) -> &str {
        &self.config().name
    }

    /// How long a mail may wait for its 354 at most: first for a free connection, then for the relay.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.config().timeouts.until_data() * 2
    }

    /// Connections that are open and wait for work.
    #[must_use]
    pub fn idle_connections(&self) -> usize {
        self.shared.pool.idle()
    }

    /// Says QUIT on all idle connections; for shutdown.
    pub async fn close_idle(&self) {
        self.shared.pool.close_idle().await;
    }

    fn config(&self) -> &RelayConfig {
        &self.shared.connector.config
    }

    /// Sends `message` (CRLF line ends, as [`crate::Draft::build`] and [`crate::DkimSigner::sign`] make it).
    ///
    /// `at_data` runs after the 354 and before the first octet of the message. If it fails, nothing was sent.
    ///
    /// Dropping the future is safe until `at_data` has returned. From then on the outcome would be lost with it: run it
    /// where it is not cancelled.
    ///
    /// # Errors
    /// [`SendError`], with the phase, what the relay said, and whether it may have the mail all the same.
    pub async fn send<F, Fut, E>(&self, envelope: &Envelope, message: &[u8], at_data: F) -> Result<Accepted, SendError>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<(), E>>,
        E: fmt::Display,
    {
        self.attempt(envelope, message, at_data).await.map_err(|failure| failure.at(self.relay()))
    }

    async fn attempt<F, Fut, E>(&self, envelope: &Envelope, message: &[u8], at_data: F) -> Result<Accepted, Failure>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<(), E>>,
        E: fmt::Display,
    {
        let limit = self.config().timeouts.until_data();
        let place = timeout(limit, self.shared.pool.place()).await;
        let _place =
            place.map_err(|_| Failure::late(SendPhase::Connect, "no connection to the relay was free in time"))?;
        // Each step has its limit; several connections that had died while they idled may come before.
        let opened = timeout(limit, self.opened(envelope, message)).await;
        let late = |_| Failure::late(SendPhase::Data, "the relay took longer than all its time limits together");
        let mut connection = opened.map_err(late)??;
        at_data().await.map_err(|error| Failure::aborted(error.to_string()))?;
        let reply = connection.transmit(message, &self.config().timeouts).await?;
        if connection.messages() < self.config().max_messages_per_connection {
            self.shared.pool.put(connection);
        }
        Ok(Accepted { code: reply.code, enhanced: reply.enhanced, text: reply.text, relay: self.relay().to_owned() })
    }

    /// A connection that has said 354 for this envelope.
    async fn opened(&self, envelope: &Envelope, message: &[u8]) -> Result<Connection, Failure> {
        let timeouts = &self.config().timeouts;
        while let Some(mut connection) = self.shared.pool.take() {
            match connection.open_data(envelope, message, timeouts).await {
                Ok(()) => return Ok(connection),
                Err(failure) if failure.is_stale_connection() => {}
                Err(failure) => return Err(failure),
            }
        }
        let mut connection = self.shared.connector.connect().await?;
        connection.open_data(envelope, message, timeouts).await?;
        Ok(connection)
    }
}

impl fmt::Debug for SmtpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmtpTransport({})", self.relay())
    }
}
