//! How a send failed: where, of what kind, and what the relay said.

use std::error::Error as _;
use std::fmt;

use lettre::transport::smtp::Error as LettreError;
use lettre::transport::smtp::response::Response;

use super::wire::Meter;

/// The step at which a send failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SendPhase {
    /// Name lookup, TCP, TLS, or the greeting.
    Connect,
    /// EHLO, or STARTTLS.
    Ehlo,
    /// AUTH.
    Auth,
    /// MAIL FROM: what the relay thinks of the sender.
    Mail,
    /// RCPT TO: what it thinks of the recipient.
    Rcpt,
    /// DATA, up to the 354 and the caller's hook.
    Data,
    /// The message, before its last byte.
    Body,
    /// After the dot.
    Dot,
}

impl SendPhase {
    /// The word for the ledger and for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SendPhase::Connect => "connect",
            SendPhase::Ehlo => "ehlo",
            SendPhase::Auth => "auth",
            SendPhase::Mail => "mail",
            SendPhase::Rcpt => "rcpt",
            SendPhase::Data => "data",
            SendPhase::Body => "body",
            SendPhase::Dot => "dot",
        }
    }
}

impl fmt::Display for SendPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SendErrorKind {
    /// A 4xx reply: not now.
    Transient,
    /// A 5xx reply: not ever.
    Permanent,
    /// This relay cannot carry the mail (too large for it, 8-bit text, an address beyond ASCII), and was not asked to.
    /// Another relay may.
    Beyond,
    /// The connection failed or broke.
    Network,
    /// A step took longer than its limit.
    Timeout,
    /// The relay does not speak SMTP as it should.
    Protocol,
    /// The caller's hook said no.
    Aborted,
}

/// A send that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{relay}: {phase}: {}{text}", .code.map(|code| format!("{code} ")).unwrap_or_default())]
pub struct SendError {
    /// The relay's name.
    pub relay: String,
    /// Where.
    pub phase: SendPhase,
    /// What.
    pub kind: SendErrorKind,
    /// The reply code, if the relay answered.
    pub code: Option<u16>,
    /// The enhanced status code (RFC 3463) of that answer, as `5.1.1`; without an answer, the one that says why the relay was
    /// not asked.
    pub enhanced: Option<String>,
    /// The rest of the answer, or the local reason. May name the recipient: not for logs in clear.
    pub text: String,
}

impl SendError {
    /// The whole message and its dot were written and no answer was read: the relay may have the mail, or not.
    #[must_use]
    pub fn is_uncertain(&self) -> bool {
        self.phase == SendPhase::Dot && self.code.is_none()
    }

    /// The relay will never take this mail. A 5xx before MAIL is about the relay or our account with it, not about the
    /// mail, and passes when that is put right; some relays say the same only at MAIL.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        matches!(self.kind, SendErrorKind::Permanent | SendErrorKind::Beyond)
            && self.phase >= SendPhase::Mail
            && !self.is_about_our_account()
    }

    /// The relay wants a login, or another one (530, 534, 535, 538: RFC 4954 §6, RFC 3207 §4), or refuses our MAIL by a
    /// policy (5.7.x): it has not heard yet whom the mail is for.
    fn is_about_our_account(&self) -> bool {
        let policy = self.enhanced.as_deref().is_some_and(|code| code.starts_with("5.7."));
        matches!(self.code, Some(530 | 534 | 535 | 538))
            || (self.phase == SendPhase::Mail && self.kind == SendErrorKind::Permanent && policy)
    }

    /// The relay cannot carry this mail, and says so in what it offers: another relay may.
    #[must_use]
    pub fn is_beyond_the_relay(&self) -> bool {
        self.kind == SendErrorKind::Beyond
    }

    /// The relay itself is at fault, not the mail, and certainly does not have it: another relay may try.
    #[must_use]
    pub fn is_about_the_relay(&self) -> bool {
        use SendErrorKind as K;
        let broken = matches!(self.kind, K::Network | K::Timeout | K::Protocol)
            || self.code == Some(421)
            || self.is_about_our_account();
        self.phase < SendPhase::Mail || (self.phase < SendPhase::Dot && broken)
    }

    /// The receiver asks for fewer mails: 421, or 4.7.x (RFC 3463 §3.8), said about a mail.
    #[must_use]
    pub fn asks_for_less(&self) -> bool {
        let policy = self.enhanced.as_deref().is_some_and(|code| code.starts_with("4.7."));
        self.phase >= SendPhase::Mail && (self.code == Some(421) || policy)
    }

    /// The relay certainly does not have the mail, and may take it later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        !self.is_permanent() && !self.is_uncertain() && self.kind != SendErrorKind::Aborted
    }
}

/// A [`SendError`] before it knows which relay it is about.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) phase: SendPhase,
    pub(super) kind: SendErrorKind,
    pub(super) reply: Option<Reply>,
    pub(super) enhanced: Option<&'static str>,
    pub(super) text: String,
}

/// An answer of the relay, taken apart.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) enhanced: Option<String>,
    pub(super) text: String,
}

impl Reply {
    pub(super) fn new(code: u16, text: &str) -> Self {
        let (enhanced, rest) = split_enhanced(text, code);
        Self { code, enhanced: enhanced.map(str::to_owned), text: rest.to_owned() }
    }

    pub(super) fn of(response: &Response) -> Self {
        let lines: Vec<&str> = response.message().collect();
        Self::new(response.code().into(), &lines.join(" "))
    }
}

/// `5.1.1 no such user` → `5.1.1`, `no such user`; the class has to be that of the code (RFC 2034 §4).
fn split_enhanced(text: &str, code: u16) -> (Option<&str>, &str) {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    let parts: Vec<&str> = first.split('.').collect();
    let digits = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    if parts.len() == 3 && parts.iter().all(digits) && parts[0].parse() == Ok(code / 100) {
        (Some(first), rest)
    } else {
        (None, text)
    }
}

impl Failure {
    pub(super) fn new(phase: SendPhase, kind: SendErrorKind, text: impl Into<String>) -> Self {
        Self { phase, kind, reply: None, enhanced: None, text: text.into() }
    }

    /// What the relay offers is not enough for the mail; `enhanced` is what a relay would answer (RFC 3463).
    pub(super) fn beyond(enhanced: &'static str, text: &str) -> Self {
        Self { enhanced: Some(enhanced), ..Self::new(SendPhase::Mail, SendErrorKind::Beyond, text) }
    }

    pub(super) fn aborted(text: String) -> Self {
        Self::new(SendPhase::Data, SendErrorKind::Aborted, text)
    }

    pub(super) fn timeout(phase: SendPhase) -> Self {
        Self::late(phase, "no answer in time")
    }

    pub(super) fn late(phase: SendPhase, text: &str) -> Self {
        Self::new(phase, SendErrorKind::Timeout, text)
    }

    /// A reply that is no error for lettre but is not the one that belongs here, or is a refusal.
    pub(super) fn refused(phase: SendPhase, reply: Reply) -> Self {
        let kind = match reply.code / 100 {
            4 => SendErrorKind::Transient,
            5 => SendErrorKind::Permanent,
            _ => SendErrorKind::Protocol,
        };
        Self { phase, kind, reply: Some(reply), enhanced: None, text: String::new() }
    }

    pub(super) fn of(phase: SendPhase, error: &LettreError, meter: &Meter) -> Self {
        let source = error.source().map(ToString::to_string).unwrap_or_default();
        match error.status() {
            Some(code) => Self::refused(phase, Reply::new(code.into(), &source)),
            None if meter.ended() => Self::new(phase, SendErrorKind::Network, "the relay closed the connection"),
            None if error.is_response() || error.is_client() => Self::new(phase, SendErrorKind::Protocol, source),
            None => Self::new(phase, SendErrorKind::Network, source),
        }
    }

    /// An idle connection that the relay has closed, or is closing with 421 (RFC 5321 §3.8): not about this mail.
    pub(super) fn is_stale_connection(&self) -> bool {
        self.kind == SendErrorKind::Network || self.reply.as_ref().is_some_and(|reply| reply.code == 421)
    }

    pub(super) fn at(self, relay: &str) -> SendError {
        let (code, enhanced, text) = match self.reply {
            Some(reply) => (Some(reply.code), reply.enhanced, reply.text),
            None => (None, self.enhanced.map(str::to_owned), self.text),
        };
        SendError { relay: relay.to_owned(), phase: self.phase, kind: self.kind, code, enhanced, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(phase: SendPhase, code: u16, text: &str) -> SendError {
        Failure::refused(phase, Reply::new(code, text)).at("relay")
    }

    #[test]
    fn what_a_relay_says_of_our_account_is_not_about_the_mail() {
        use SendPhase::{Data, Dot, Mail, Rcpt};
        for (phase, code, text, permanent) in [
            (Mail, 530, "5.7.0 authentication required", false),
            (Rcpt, 530, "5.7.0 must issue a STARTTLS command first", false),
            (Mail, 535, "5.7.8 credentials invalid", false),
            (Mail, 550, "5.7.1 account suspended", false),
            (Mail, 550, "5.7.60 client does not have permissions to send as this sender", false),
            (Mail, 553, "5.1.8 bad sender", true),
            (Mail, 552, "5.3.4 too large", true),
            (Rcpt, 550, "5.7.1 relaying denied", true),
            (Rcpt, 550, "5.1.1 no such user", true),
            (Data, 554, "5.7.1 refused", true),
            (Dot, 550, "5.7.26 not authenticated", true),
        ] {
            let error = refused(phase, code, text);
            assert_eq!(error.is_permanent(), permanent, "{error}");
            assert_eq!(error.is_about_the_relay(), !permanent, "{error}");
        }
    }
}
