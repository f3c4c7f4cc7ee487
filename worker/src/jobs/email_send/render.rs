//! Step 6: template and data become a message, the same one in every attempt.

use jiff::Timestamp;
use mail::calendar::Invite;
use mail::{Draft, EmailAddress, Locale, Mailbox, MessageId};
use store::Delivery;

use super::{Halt, Send};
use crate::mailer::Sender;

/// A message that is not yet signed.
pub(super) struct Letter {
    /// Whom it goes to.
    pub(super) to: EmailAddress,
    /// The message, CRLF line ends.
    pub(super) message: Vec<u8>,
    /// Its subject, decoded.
    pub(super) subject: String,
    /// Its Message-ID.
    pub(super) message_id: MessageId,
    /// Its Date.
    pub(super) date: Timestamp,
}

impl Send<'_> {
    /// What fails here fails again: the template, the address or the sender is at fault.
    pub(super) fn render(&self, delivery: &Delivery, sender: &Sender) -> Result<Letter, Halt> {
        let to = EmailAddress::parse(&delivery.recipient).map_err(unsendable)?;
        let mailbox = Mailbox::new(delivery.recipient_name.as_deref(), to.clone()).map_err(unsendable)?;
        let locale = Locale::or_english(delivery.locale.as_deref());
        let content = self.mailer.renderer.render(&delivery.template, &locale, &delivery.data).map_err(unsendable)?;
        let invite: Option<Invite> =
            delivery.calendar.clone().map(serde_json::from_value).transpose().map_err(unsendable)?;
        let id = delivery.id.to_string();
        let message_id = match &delivery.message_id {
            Some(kept) => MessageId::parse(kept),
            None => MessageId::for_delivery(&id, sender.profile.address.domain()),
        }
        .map_err(unsendable)?;
        let date = delivery.mail_date.unwrap_or(delivery.created_at);
        let shown = [mailbox];
        let draft =
            Draft { invite: invite.as_ref(), ..Draft::new(&sender.profile, &shown, &content, &message_id, date, &id) };
        let message = draft.build().map_err(unsendable)?;
        Ok(Letter { to, message, subject: content.subject, message_id, date })
    }
}

pub(super) fn unsendable(why: impl std::fmt::Display) -> Halt {
    Halt::Unsendable(why.to_string())
}
