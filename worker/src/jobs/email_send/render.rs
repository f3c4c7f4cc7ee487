//! Step 7: template and data, or the words of a caller, become a message, the same one in every attempt.

use jiff::Timestamp;
use mail::calendar::Invite;
use mail::{Draft, EmailAddress, MessageId};
use store::Delivery;

use super::destination::To;
use super::words::Words;
use super::{Halt, Send};
use crate::mailer::Sender;

/// What the ledger shows in place of a subject that came sealed.
const SEALED: &str = "(sealed)";

/// A message that is not yet signed.
pub(super) struct Letter {
    /// Whom it goes to.
    pub(super) to: EmailAddress,
    /// The message, CRLF line ends.
    pub(super) message: Vec<u8>,
    /// Its subject, decoded, as the ledger may show it.
    pub(super) subject: String,
    /// Its Message-ID.
    pub(super) message_id: MessageId,
    /// Its Date.
    pub(super) date: Timestamp,
}

impl Send<'_> {
    /// What fails here fails again: the template, the address or the sender is at fault.
    pub(super) fn render(&self, delivery: &Delivery, sender: &Sender, to: To, words: Words) -> Result<Letter, Halt> {
        let content = words.rendered.ok_or_else(|| unsendable("there are no words"))?;
        let invite = delivery.calendar.clone().map(serde_json::from_value::<Invite>);
        let invite = invite.transpose().map_err(|e| unsendable(format!("its invitation cannot be read: {e}")))?;
        let id = delivery.id.to_string();
        let message_id = match &delivery.message_id {
            Some(kept) => MessageId::parse(kept),
            None => MessageId::for_delivery(&id, sender.profile.address.domain()),
        }
        .map_err(unsendable)?;
        let date = delivery.mail_date.unwrap_or(delivery.created_at);
        let draft = Draft {
            cc: &words.cc,
            reply_to: &words.reply_to,
            headers: &words.headers,
            attachments: &words.attachments,
            invite: invite.as_ref(),
            utf8: !to.address.is_ascii(),
            ..Draft::new(&sender.profile, &words.to, &content, &message_id, date, &id)
        };
        let message = draft.build().map_err(unsendable)?;
        // A code that proves who somebody is often stands in the subject.
        let subject = if words.sealed { SEALED.to_owned() } else { content.subject };
        Ok(Letter { to: to.address, message, subject, message_id, date })
    }
}

pub(super) fn unsendable(why: impl std::fmt::Display) -> Halt {
    Halt::Unsendable(why.to_string())
}
