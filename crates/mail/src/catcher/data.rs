//! DATA: the message itself, to the line with the single dot.
//!
//! 1. 354, unless the order is wrong or the script says otherwise.
//! 2. Lines up to `.`; a dot in front of any other line is taken away (RFC 5321 §4.5.2).
//! 3. What breaks a rule (a line over 1,000 octets, a bare CR or LF, too much in all) is read to its real end and then
//!    refused; after a bare LF the connection ends too, for nobody knows what the client thinks it has sent.
//! 4. The mail is judged, kept, and only then accepted: once the 250 is out, it can be seen.

use std::io;
use std::time::Duration;

use super::lines::LineEnd;
use super::mail::CaughtMail;
use super::script::Step;
use super::session::{Envelope, Flow, Scripted, Session};
use crate::address::EmailAddress;
use crate::verify::{Received, Verdicts};

/// RFC 5321 §4.5.3.1.6, CRLF included.
const MAX_LINE: usize = 1000;
/// What judging may take before the mail is accepted as unjudged.
const JUDGE_TIMEOUT: Duration = Duration::from_secs(15);

/// What has gone wrong while reading; the worst counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    None,
    LongLine,
    TooLarge,
    BareLineEnd,
}

impl Session {
    pub(super) async fn data(&mut self) -> io::Result<Flow> {
        match &self.envelope {
            None => return Ok(self.refuse(503, "5.5.1 say MAIL first")),
            Some(envelope) if envelope.to.is_empty() => {
                return Ok(self.refuse(554, "5.5.1 no valid recipients"));
            }
            Some(_) => {}
        }
        if let Scripted::Done(flow) = self.scripted(&Step::Data).await? {
            return Ok(flow);
        }
        self.reply(354, "go ahead, end with a dot on a line of its own");
        let Some((message, fault)) = self.read_message().await? else {
            return Ok(Flow::Break(()));
        };
        let envelope = self.envelope.take().unwrap_or_default();
        match fault {
            Fault::None if !envelope.utf8 && !has_ascii_head(&message) => {
                Ok(self.refuse(554, "5.6.7 a header field is not ASCII, and MAIL did not say SMTPUTF8"))
            }
            Fault::None => self.take(message, envelope).await,
            Fault::LongLine => Ok(self.refuse(554, "5.6.0 a line is longer than 1000 octets")),
            Fault::TooLarge => Ok(self.refuse(552, "5.3.4 the message is too large")),
            Fault::BareLineEnd => {
                self.reply(521, "5.5.2 a line has to end with CR LF");
                Ok(Flow::Break(()))
            }
        }
    }

    /// `None` if the client went away in the middle.
    async fn read_message(&mut self) -> io::Result<Option<(Vec<u8>, Fault)>> {
        let limit = self.shared.options.max_message;
        let mut message = Vec::new();
        let mut fault = Fault::None;
        let mut line = Vec::with_capacity(MAX_LINE);
        let mut after_crlf = true;
        loop {
            let end = self.lines().read(&mut line, MAX_LINE).await?;
            match end {
                LineEnd::Eof => return Ok(None),
                LineEnd::Crlf if after_crlf && line == b"." => return Ok(Some((message, fault))),
                LineEnd::Crlf => {}
                LineEnd::TooLong => fault = fault.max(Fault::LongLine),
                LineEnd::Bare => fault = fault.max(Fault::BareLineEnd),
            }
            after_crlf = end != LineEnd::Bare;
            let text = line.strip_prefix(b".").unwrap_or(&line);
            if message.len() + text.len() + 2 > limit {
                fault = fault.max(Fault::TooLarge);
                message.clear();
            } else if fault == Fault::None {
                message.extend_from_slice(text);
                message.extend_from_slice(b"\r\n");
            }
        }
    }

    async fn take(&mut self, message: Vec<u8>, envelope: Envelope) -> io::Result<Flow> {
        let silently = match self.scripted(&Step::Dot { message: &message }).await? {
            Scripted::Proceed => false,
            Scripted::ProceedThenClose => true,
            Scripted::Done(flow) => return Ok(flow),
        };
        let Some(verifier) = &self.shared.verifier else {
            self.shared.inbox.count();
            return Ok(self.accept(250, "2.0.0 taken"));
        };
        let mail_from = envelope.from.as_ref().map(EmailAddress::as_str);
        let received = Received {
            raw: &message,
            client_ip: self.peer.ip(),
            ehlo: self.ehlo.as_deref().unwrap_or_default(),
            mail_from,
        };
        let judged = tokio::time::timeout(JUDGE_TIMEOUT, verifier.verify(&received)).await;
        let verdicts = judged.unwrap_or(Verdicts::UNJUDGED);
        let mail_from = mail_from.map(str::to_owned);
        let rcpt_to = envelope.to.iter().map(ToString::to_string).collect();
        let mail = CaughtMail::new(message, mail_from, rcpt_to, self.shared.clock.now(), verdicts);
        let id = self.shared.inbox.put(mail);
        if silently {
            return Ok(Flow::Break(()));
        }
        Ok(self.accept(250, &format!("2.0.0 caught as {id}")))
    }
}

/// Whether everything before the empty line is ASCII (RFC 5322 §2.2); RFC 6532 lifts that for SMTPUTF8.
fn has_ascii_head(message: &[u8]) -> bool {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n");
    message[..end.unwrap_or(message.len())].is_ascii()
}
