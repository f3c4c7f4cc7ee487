//! An SMTP server that catches what is sent to it: the far end of `postrider dev`, and of tests.
//!
//! It speaks SMTP as a careful receiver does (RFC 5321): the transport that is developed against it is the one that
//! talks to real relays. Each mail is judged ([`crate::verify`]) before it is accepted, kept in a bounded ring in
//! memory, and never sent on. A [`Script`] can make it misbehave at any step.
//!
//! 1. [`Catcher::start`] binds and accepts, up to a number of connections.
//! 2. A session per connection walks through EHLO, MAIL, RCPT, DATA.
//! 3. At the dot the mail is judged and put into the [`Inbox`]; then the 250 is written.

mod auth;
mod commands;
mod data;
mod inbox;
mod lines;
mod mail;
mod script;
mod session;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use job::{Clock, SystemClock};
use secrecy::SecretString;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::verify::Verifier;
pub use inbox::Inbox;
pub use mail::CaughtMail;
pub use script::{Reaction, Script, Step};

/// A pause after `accept` fails, as when file descriptors run out: the loop must not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Limits and behaviour. The defaults suit development.
#[derive(Clone)]
pub struct CatcherOptions {
    /// The name in the greeting and in the EHLO reply.
    pub hostname: String,
    /// Connections at a time; one more is told 421. Default 256.
    pub max_connections: usize,
    /// How long a client may be silent. Default 5 min (RFC 5321 §4.5.3.2.7).
    pub idle_timeout: Duration,
    /// The longest message, in octets; announced by SIZE. Default 25 MiB.
    pub max_message: usize,
    /// Mails kept; the oldest goes first. Default 10,000.
    pub max_mails: usize,
    /// Octets of mail kept. Default 256 MiB.
    pub max_bytes: usize,
    /// Whether PIPELINING (RFC 2920), 8BITMIME (RFC 6152) and SMTPUTF8 (RFC 6531) are offered. Default: all.
    pub offers: CatcherOffers,
    /// If set, mail is taken only after AUTH PLAIN or LOGIN with this name and password.
    pub credentials: Option<(String, SecretString)>,
    /// If set, STARTTLS is offered, or TLS is spoken from the first byte.
    pub tls: Option<CatcherTls>,
}

/// The extensions that can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatcherOffers {
    /// RFC 2920.
    pub pipelining: bool,
    /// RFC 6152.
    pub eight_bit: bool,
    /// RFC 6531: addresses beyond ASCII.
    pub utf8: bool,
}

impl Default for CatcherOffers {
    fn default() -> Self {
        Self { pipelining: true, eight_bit: true, utf8: true }
    }
}

/// How the catcher speaks TLS.
#[derive(Clone)]
pub struct CatcherTls {
    /// Certificate and key.
    pub config: Arc<rustls::ServerConfig>,
    /// From the first byte (RFC 8314 §3.3) rather than after STARTTLS.
    pub implicit: bool,
}

impl Default for CatcherOptions {
    fn default() -> Self {
        Self {
            hostname: "catcher.postrider.test".to_owned(),
            max_connections: 256,
            idle_timeout: Duration::from_secs(300),
            max_message: 25 << 20,
            max_mails: 10_000,
            max_bytes: 256 << 20,
            offers: CatcherOffers::default(),
            credentials: None,
            tls: None,
        }
    }
}

/// A running catcher; it stops when dropped.
pub struct Catcher {
    addr: SocketAddr,
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

/// What all sessions of one catcher share.
pub(crate) struct Shared {
    pub(crate) options: CatcherOptions,
    /// `None`: nothing is judged and nothing is kept.
    pub(crate) verifier: Option<Verifier>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) inbox: Inbox,
    pub(crate) script: RwLock<Option<Script>>,
    pub(crate) shutdown: CancellationToken,
    connections: Arc<Semaphore>,
}

impl Catcher {
    /// Listens on `bind` (port 0: the system chooses) with default options.
    ///
    /// # Errors
    /// The address could not be bound.
    pub async fn start(bind: SocketAddr, verifier: Verifier, clock: Arc<dyn Clock>) -> io::Result<Self> {
        Self::start_with(bind, verifier, clock, CatcherOptions::default()).await
    }

    /// Listens on `bind`.
    ///
    /// # Errors
    /// The address could not be bound.
    pub async fn start_with(
        bind: SocketAddr,
        verifier: Verifier,
        clock: Arc<dyn Clock>,
        options: CatcherOptions,
    ) -> io::Result<Self> {
        Self::listen(bind, Some(verifier), clock, options).await
    }

    /// Listens on `bind` as a sink: it takes every mail, judges none and keeps none; [`Inbox::received`] counts them. For
    /// measuring a sender.
    ///
    /// # Errors
    /// The address could not be bound.
    pub async fn sink(bind: SocketAddr, options: CatcherOptions) -> io::Result<Self> {
        Self::listen(bind, None, Arc::new(SystemClock), options).await
    }

    async fn listen(
        bind: SocketAddr,
        verifier: Option<Verifier>,
        clock: Arc<dyn Clock>,
        options: CatcherOptions,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(bind).await?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            inbox: Inbox::new(options.max_mails, options.max_bytes),
            connections: Arc::new(Semaphore::new(options.max_connections)),
            options,
            verifier,
            clock,
            script: RwLock::new(None),
            shutdown: CancellationToken::new(),
        });
        let tasks = TaskTracker::new();
        tasks.spawn(accept(listener, Arc::clone(&shared), tasks.clone()));
        tasks.close();
        Ok(Self { addr, shared, tasks })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The caught mails.
    #[must_use]
    pub fn inbox(&self) -> Inbox {
        self.shared.inbox.clone()
    }

    /// Connections that are open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.options.max_connections - self.shared.connections.available_permits()
    }

    /// Misbehaves as `script` says, from the next step of every session on; `None` behaves again.
    pub fn set_script(&self, script: Option<Script>) {
        *self.shared.script.write().unwrap_or_else(PoisonError::into_inner) = script;
    }

    /// Stops listening, closes every connection and waits until they are gone.
    pub async fn shutdown(&self) {
        self.shared.shutdown.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Catcher {
    fn drop(&mut self) {
        self.shared.shutdown.cancel();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            () = shared.shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let shared = Arc::clone(&shared);
                tasks.spawn(async move {
                    let shutdown = shared.shutdown.clone();
                    let served = shutdown.run_until_cancelled_owned(serve(stream, peer, shared)).await;
                    if let Some(Err(error)) = served {
                        tracing::debug!(%error, "a session with the mail catcher broke off");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the mail catcher could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let place = Arc::clone(&shared.connections).try_acquire_owned();
    let implicit = shared.options.tls.as_ref().filter(|tls| tls.implicit);
    let stream: lines::BoxedStream = match implicit {
        Some(tls) => {
            let handshake = TlsAcceptor::from(Arc::clone(&tls.config)).accept(stream);
            Box::new(tokio::time::timeout(shared.options.idle_timeout, handshake).await??)
        }
        None => Box::new(stream),
    };
    session::Session::new(stream, peer, implicit.is_some(), Arc::clone(&shared)).run(place.is_ok()).await
}
