//! One connection that has said EHLO: MAIL, RCPT, DATA, the message.

use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp::Error as LettreError;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::Data;
use lettre::transport::smtp::response::Response;

use super::Envelope;
use super::as_data::AsData;
use super::config::Timeouts;
use super::error::{Failure, Reply, SendErrorKind, SendPhase};
use super::patience::in_two_halves;
use super::wire::Meter;
use crate::address::EmailAddress;

/// A goodbye that is not answered must not hold anything up.
const QUIT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long to look for the answer of a relay that stopped reading in the middle of the message.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub(super) struct Connection {
    smtp: AsyncSmtpConnection,
    meter: Arc<Meter>,
    offers: Offers,
    messages: u32,
}

/// What the relay offers in its EHLO answer, as far as it matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Offers {
    /// RFC 2920.
    pipelining: bool,
    /// RFC 6152.
    eight_bit: bool,
    /// RFC 6531.
    utf8: bool,
    /// RFC 1870; `Some(0)` is "no limit that it knows of".
    size: Option<u64>,
}

impl Offers {
    /// From everything that the relay has said so far.
    pub(super) fn parse(transcript: &[u8]) -> Self {
        let text = String::from_utf8_lossy(transcript).to_ascii_uppercase();
        let mut offers = Self::default();
        for offer in text.lines().filter_map(|line| line.strip_prefix("250")).filter_map(|line| line.get(1..)) {
            let mut words = offer.split_ascii_whitespace();
            match words.next() {
                Some("PIPELINING") => offers.pipelining = true,
                Some("8BITMIME") => offers.eight_bit = true,
                Some("SMTPUTF8") => offers.utf8 = true,
                Some("SIZE") => offers.size = Some(words.next().and_then(|octets| octets.parse().ok()).unwrap_or(0)),
                _ => {}
            }
        }
        offers
    }
}

impl Connection {
    pub(super) fn new(smtp: AsyncSmtpConnection, meter: Arc<Meter>, offers: Offers) -> Self {
        Self { smtp, meter, offers, messages: 0 }
    }

    /// Messages accepted over this connection.
    pub(super) fn messages(&self) -> u32 {
        self.messages
    }

    /// MAIL, RCPT and DATA, up to the 354.
    pub(super) async fn open_data(
        &mut self,
        envelope: &Envelope,
        message: &[u8],
        timeouts: &Timeouts,
    ) -> Result<(), Failure> {
        let mail = self.mail_command(envelope, message)?;
        let rcpt = format!("RCPT TO:<{}>\r\n", envelope.to);
        if self.offers.pipelining {
            // DATA may end a group (RFC 2920 §3.1). Should it be answered 354 although the recipient was refused, this
            // connection is dropped and no message follows.
            let all = self.smtp.command(format!("{mail}{rcpt}DATA\r\n"));
            expect(all, timeouts.command, SendPhase::Mail, 2, &self.meter).await?;
            expect(self.smtp.read_response(), timeouts.command, SendPhase::Rcpt, 2, &self.meter).await?;
            expect(self.smtp.read_response(), timeouts.data, SendPhase::Data, 3, &self.meter).await?;
        } else {
            expect(self.smtp.command(mail), timeouts.command, SendPhase::Mail, 2, &self.meter).await?;
            expect(self.smtp.command(rcpt), timeouts.command, SendPhase::Rcpt, 2, &self.meter).await?;
            expect(self.smtp.command(Data), timeouts.data, SendPhase::Data, 3, &self.meter).await?;
        }
        Ok(())
    }

    fn mail_command(&self, envelope: &Envelope, message: &[u8]) -> Result<String, Failure> {
        let from = envelope.from.as_ref().map_or("", EmailAddress::as_str);
        let mut command = format!("MAIL FROM:<{from}>");
        if let Some(limit) = self.offers.size {
            if limit > 0 && message.len() as u64 > limit {
                return Err(Failure::beyond("5.3.4", "the message is larger than the relay takes"));
            }
            command.push_str(&format!(" SIZE={}", message.len()));
        }
        if !message.is_ascii() {
            if !self.offers.eight_bit {
                return Err(Failure::beyond("5.6.3", "the message is not ASCII and the relay does not offer 8BITMIME"));
            }
            command.push_str(" BODY=8BITMIME");
        }
        if !envelope.to.is_ascii() || !head(message).is_ascii() {
            if !self.offers.utf8 {
                return Err(Failure::beyond("5.6.7", "an address is not ASCII and the relay does not offer SMTPUTF8"));
            }
            command.push_str(" SMTPUTF8");
        }
        command.push_str("\r\n");
        Ok(command)
    }

    /// The message, the dot, and the answer to it.
    pub(super) async fn transmit(&mut self, message: &[u8], timeouts: &Timeouts) -> Result<Reply, Failure> {
        let Timeouts { body, dot, .. } = *timeouts;
        let sent = match AsData::new(message) {
            Ok(data) => in_two_halves(&self.meter, body, dot, Meter::dot_written, self.smtp.command(data)).await,
            // Not UTF-8, as only others' messages are: lettre writes octets, and ends them with CRLF and the dot; the message's
            // own last line end would become an empty line.
            Err(_) => {
                let sending = self.smtp.message(message.strip_suffix(b"\r\n").unwrap_or(message));
                in_two_halves(&self.meter, body, dot, Meter::dot_written, sending).await
            }
        };
        let phase = if self.meter.dot_written() { SendPhase::Dot } else { SendPhase::Body };
        let error = match sent {
            None => return Err(Failure::timeout(phase)),
            Some(Ok(response)) => return self.accepted(phase, &response),
            Some(Err(error)) => error,
        };
        // A relay may refuse in the middle ("too large") and close; then writing fails and its reason is still unread.
        if phase == SendPhase::Body
            && error.status().is_none()
            && let Ok(Err(last_words)) = tokio::time::timeout(LAST_WORDS, self.smtp.read_response()).await
            && last_words.status().is_some()
        {
            return Err(Failure::of(phase, &last_words, &self.meter));
        }
        Err(Failure::of(phase, &error, &self.meter))
    }

    fn accepted(&mut self, phase: SendPhase, response: &Response) -> Result<Reply, Failure> {
        let reply = Reply::of(response);
        if reply.code / 100 != 2 || phase != SendPhase::Dot {
            // Neither yes nor no: nobody can know.
            return Err(Failure::new(phase, SendErrorKind::Protocol, format!("{} {}", reply.code, reply.text)));
        }
        self.messages += 1;
        Ok(reply)
    }

    /// Says QUIT and closes.
    pub(super) async fn quit(mut self) {
        let _ = tokio::time::timeout(QUIT_TIMEOUT, self.smtp.quit()).await;
    }
}

/// The header of a message, up to the empty line.
fn head(message: &[u8]) -> &[u8] {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n");
    &message[..end.unwrap_or(message.len())]
}

async fn expect(
    answer: impl Future<Output = Result<Response, LettreError>>,
    limit: Duration,
    phase: SendPhase,
    class: u16,
    meter: &Meter,
) -> Result<(), Failure> {
    let answer = tokio::time::timeout(limit, answer).await.map_err(|_| Failure::timeout(phase))?;
    let reply = Reply::of(&answer.map_err(|error| Failure::of(phase, &error, meter))?);
    if reply.code / 100 == class { Ok(()) } else { Err(Failure::refused(phase, reply)) }
}
