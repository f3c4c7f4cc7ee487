//! One SMTP session, from the greeting to the goodbye (RFC 5321 §3).
//!
//! Commands come in any case, arguments as RFC 5321 §4.1.1 spells them; what is out of order is 503, what is not
//! understood 500 or 501, and after too many errors the connection ends. A script may override every step.

use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};

use tokio_rustls::TlsAcceptor;

use super::commands::Command;
use super::lines::{BoxedStream, LineEnd, Lines};
use super::script::{Reaction, Step};
use super::{CatcherTls, Shared};
use crate::address::EmailAddress;

/// RFC 5321 §4.5.3.1.4 asks for at least 512; parameters and AUTH make lines longer (RFC 4954 §4: 12,288).
const MAX_COMMAND: usize = 12_288;
const MAX_ERRORS: usize = 20;
const MAX_RECIPIENTS: usize = 100;

/// `Break` ends the session.
pub(super) type Flow = ControlFlow<()>;

pub(super) struct Session {
    pub(super) lines: Option<Lines>,
    pub(super) shared: Arc<Shared>,
    pub(super) peer: SocketAddr,
    pub(super) encrypted: bool,
    pub(super) authenticated: bool,
    pub(super) ehlo: Option<String>,
    pub(super) envelope: Option<Envelope>,
    errors: usize,
}

/// What MAIL and RCPT have said so far.
#[derive(Default)]
pub(super) struct Envelope {
    pub(super) from: Option<EmailAddress>,
    pub(super) to: Vec<EmailAddress>,
    /// MAIL said SMTPUTF8: addresses and header fields may be beyond ASCII.
    pub(super) utf8: bool,
}

/// An address, or a header field, beyond ASCII in a transaction that is not one of SMTPUTF8 (RFC 6531 §3.5).
pub(super) const NOT_ASCII: (u16, &str) = (553, "5.6.7 not ASCII, and MAIL did not say SMTPUTF8");

impl Session {
    pub(super) fn new(stream: BoxedStream, peer: SocketAddr, encrypted: bool, shared: Arc<Shared>) -> Self {
        let lines = Some(Lines::new(stream, shared.options.idle_timeout));
        Self { lines, shared, peer, encrypted, authenticated: false, ehlo: None, envelope: None, errors: 0 }
    }

    /// Serves until either side ends it. `has_place` is whether the catcher can take another connection.
    pub(super) async fn run(mut self, has_place: bool) -> io::Result<()> {
        if !has_place {
            self.reply(421, "4.3.2 too many connections, try again later");
            return self.close().await;
        }
        let greeted = match self.scripted(&Step::Connect { peer: self.peer }).await? {
            Scripted::Proceed => {
                let greeting = format!("{} ESMTP ready", self.shared.options.hostname);
                self.reply(220, &greeting);
                Flow::Continue(())
            }
            Scripted::Done(flow) => flow,
            Scripted::ProceedThenClose => Flow::Break(()),
        };
        if greeted.is_continue() {
            self.converse().await?;
        }
        self.close().await
    }

    async fn converse(&mut self) -> io::Result<()> {
        let mut line = Vec::new();
        loop {
            let end = match self.lines().read(&mut line, MAX_COMMAND).await {
                Ok(end) => end,
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    self.reply(421, "4.4.2 idle for too long");
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            let flow = match end {
                LineEnd::Eof => return Ok(()),
                LineEnd::Bare => {
                    self.reply(521, "5.5.2 a line has to end with CR LF");
                    return Ok(());
                }
                LineEnd::TooLong => self.refuse(500, "5.5.2 the line is too long"),
                LineEnd::Crlf => match Command::parse(&line) {
                    Ok(command) => self.obey(command).await?,
                    Err(refusal) => self.refuse(refusal.0, refusal.1),
                },
            };
            if flow.is_break() {
                return Ok(());
            }
        }
    }

    async fn obey(&mut self, command: Command) -> io::Result<Flow> {
        match command {
            Command::Ehlo { name, extended } => self.greet(name, extended).await,
            Command::Mail { from, size, utf8 } => self.mail(from, size, utf8).await,
            Command::Rcpt { to } => self.rcpt(to).await,
            Command::Data => self.data().await,
            Command::Auth { mechanism, initial } => self.auth(&mechanism, initial.as_deref()).await,
            Command::StartTls => self.start_tls().await,
            Command::Rset => {
                self.envelope = None;
                Ok(self.accept(250, "2.0.0 forgotten"))
            }
            Command::Noop => Ok(self.accept(250, "2.0.0 nothing done")),
            Command::Vrfy => Ok(self.accept(252, "2.5.0 send it and see")),
            Command::Help => Ok(self.accept(214, "2.0.0 RFC 5321")),
            Command::Quit => {
                self.reply(221, "2.0.0 goodbye");
                Ok(Flow::Break(()))
            }
        }
    }

    async fn greet(&mut self, name: String, extended: bool) -> io::Result<Flow> {
        if let Scripted::Done(flow) = self.scripted(&Step::Ehlo { name: &name }).await? {
            return Ok(flow);
        }
        let hostname = self.shared.options.hostname.clone();
        if extended {
            let can = self.shared.options.offers;
            let size = format!("SIZE {}", self.shared.options.max_message);
            let words = [
                (true, format!("{hostname} greets {name}").as_str()),
                (can.pipelining, "PIPELINING"),
                (can.eight_bit, "8BITMIME"),
                (can.utf8, "SMTPUTF8"),
                (true, size.as_str()),
                (true, "ENHANCEDSTATUSCODES"),
            ]
            .map(|(offered, word)| offered.then(|| word.to_owned()));
            let mut offers: Vec<String> = words.into_iter().flatten().collect();
            if self.offered_tls().is_some() {
                offers.push("STARTTLS".to_owned());
            }
            if self.shared.options.credentials.is_some() {
                offers.push("AUTH PLAIN LOGIN".to_owned());
            }
            self.lines().reply_lines(250, &offers);
        } else {
            self.reply(250, &hostname);
        }
        self.ehlo = Some(name);
        self.envelope = None;
        Ok(Flow::Continue(()))
    }

    async fn mail(&mut self, from: Option<EmailAddress>, size: Option<u64>, utf8: bool) -> io::Result<Flow> {
        if self.ehlo.is_none() {
            return Ok(self.refuse(503, "5.5.1 say EHLO first"));
        }
        if self.shared.options.credentials.is_some() && !self.authenticated {
            return Ok(self.refuse(530, "5.7.0 authentication required"));
        }
        if self.envelope.is_some() {
            return Ok(self.refuse(503, "5.5.1 there is a sender already"));
        }
        if size.is_some_and(|size| size > self.shared.options.max_message as u64) {
            return Ok(self.refuse(552, "5.3.4 the message is too large"));
        }
        if utf8 && !self.shared.options.offers.utf8 {
            return Ok(self.refuse(555, "5.5.4 SMTPUTF8 is not supported"));
        }
        if !utf8 && from.as_ref().is_some_and(|from| !from.is_ascii()) {
            return Ok(self.refuse(NOT_ASCII.0, NOT_ASCII.1));
        }
        let path = from.as_ref().map_or("", EmailAddress::as_str);
        if let Scripted::Done(flow) = self.scripted(&Step::Mail { from: path }).await? {
            return Ok(flow);
        }
        self.envelope = Some(Envelope { from, to: Vec::new(), utf8 });
        Ok(self.accept(250, "2.1.0 sender noted"))
    }

    async fn rcpt(&mut self, to: EmailAddress) -> io::Result<Flow> {
        match &self.envelope {
            None => return Ok(self.refuse(503, "5.5.1 say MAIL first")),
            Some(envelope) if !envelope.utf8 && !to.is_ascii() => return Ok(self.refuse(NOT_ASCII.0, NOT_ASCII.1)),
            Some(_) => {}
        }
        if let Scripted::Done(flow) = self.scripted(&Step::Rcpt { to: to.as_str() }).await? {
            return Ok(flow);
        }
        match &mut self.envelope {
            Some(envelope) if envelope.to.len() < MAX_RECIPIENTS => envelope.to.push(to),
            _ => return Ok(self.refuse(452, "4.5.3 too many recipients")),
        }
        Ok(self.accept(250, "2.1.5 recipient noted"))
    }

    async fn start_tls(&mut self) -> io::Result<Flow> {
        let Some(tls) = self.offered_tls() else {
            return Ok(self.refuse(502, "5.5.1 not offered"));
        };
        // What came along with STARTTLS was not encrypted and must not be obeyed as if it had been (RFC 3207 §5).
        if self.lines().has_unread() {
            self.reply(554, "5.5.1 nothing may follow STARTTLS");
            return Ok(Flow::Break(()));
        }
        self.reply(220, "2.0.0 go ahead");
        self.lines().flush().await?;
        let idle = self.shared.options.idle_timeout;
        let plain = self.lines.take().expect("a session has its connection between two commands").into_stream();
        let encrypted = tokio::time::timeout(idle, TlsAcceptor::from(tls.config).accept(plain)).await??;
        self.lines = Some(Lines::new(Box::new(encrypted), idle));
        self.encrypted = true;
        self.ehlo = None;
        self.envelope = None;
        Ok(Flow::Continue(()))
    }

    fn offered_tls(&self) -> Option<CatcherTls> {
        self.shared.options.tls.clone().filter(|_| !self.encrypted)
    }

    pub(super) fn lines(&mut self) -> &mut Lines {
        self.lines.as_mut().expect("a session has its connection between two commands")
    }

    pub(super) fn reply(&mut self, code: u16, text: &str) {
        self.lines().reply(code, text);
    }

    pub(super) fn accept(&mut self, code: u16, text: &str) -> Flow {
        self.reply(code, text);
        Flow::Continue(())
    }

    pub(super) fn refuse(&mut self, code: u16, text: &str) -> Flow {
        self.reply(code, text);
        self.errors += 1;
        if self.errors >= MAX_ERRORS {
            self.reply(421, "4.7.0 too many errors");
            return Flow::Break(());
        }
        Flow::Continue(())
    }

    /// Asks the script, and does what it says.
    pub(super) async fn scripted(&mut self, step: &Step<'_>) -> io::Result<Scripted> {
        let script = self.shared.script.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(script) = script else {
            return Ok(Scripted::Proceed);
        };
        let next = Flow::Continue(());
        Ok(match script(step) {
            Reaction::Proceed => Scripted::Proceed,
            Reaction::AcceptThenClose if matches!(step, Step::Dot { .. }) => Scripted::ProceedThenClose,
            Reaction::Delay(time) => {
                self.lines().flush().await?;
                tokio::time::sleep(time).await;
                Scripted::Proceed
            }
            Reaction::Reply(code, text) => {
                self.reply(code, &text);
                Scripted::Done(next)
            }
            Reaction::ReplyThenClose(code, text) => {
                self.reply(code, &text);
                Scripted::Done(Flow::Break(()))
            }
            Reaction::ReplyThenStall(code, text) => {
                self.reply(code, &text);
                self.stall().await?;
                Scripted::Done(Flow::Break(()))
            }
            Reaction::Stall => {
                self.stall().await?;
                Scripted::Done(Flow::Break(()))
            }
            Reaction::Close | Reaction::AcceptThenClose => Scripted::Done(Flow::Break(())),
        })
    }

    async fn stall(&mut self) -> io::Result<()> {
        self.lines().flush().await?;
        tokio::time::sleep(self.shared.options.idle_timeout).await;
        Ok(())
    }

    async fn close(self) -> io::Result<()> {
        match self.lines {
            Some(lines) => lines.close().await,
            None => Ok(()),
        }
    }
}

/// Whether the script has dealt with a step.
pub(super) enum Scripted {
    /// No: go on as usual.
    Proceed,
    /// No, but after it the connection ends without a reply.
    ProceedThenClose,
    /// Yes.
    Done(Flow),
}
