//! The states of a mail in the ledger; the ways between them are in `table`.

use super::table::Event;
use crate::words::words;

words! {
    /// Where a mail stands.
    pub enum DeliveryState {
        /// Decided, and not yet begun.
        Queued = "queued",
        /// An attempt has it.
        Sending = "sending",
        /// The receiver said 250 after the dot.
        Sent = "sent",
        /// A temporary failure; there will be another attempt.
        Deferred = "deferred",
        /// Not sent, because the sender's domain would not authenticate, or because no worker has its sender or template;
        /// released by a repair or a person.
        Held = "held",
        /// Not sent, because the recipient must not be written to.
        Suppressed = "suppressed",
        /// Called off before it was sent.
        Cancelled = "cancelled",
        /// Its deadline passed before it was sent.
        Expired = "expired",
        /// Refused for good.
        Failed = "failed",
        /// Nobody knows whether the receiver took it; a person decides.
        Unknown = "unknown",
    }
}

words! {
    /// How far the current attempt is in the SMTP conversation.
    pub enum MailPhase {
        /// Before the body: a broken connection has sent nothing.
        Envelope = "envelope",
        /// The receiver answered 354: from here on a break leaves the fate of the mail unknown.
        Data = "data",
    }
}

words! {
    /// How an attempt ended.
    pub enum AttemptOutcome {
        /// The receiver took the mail.
        Sent = "sent",
        /// A temporary failure.
        Deferred = "deferred",
        /// A permanent failure.
        Failed = "failed",
        /// The reply after the dot was lost, or the worker.
        Unknown = "unknown",
        /// The deadline had passed.
        Expired = "expired",
        /// The sender's domain would not authenticate.
        Held = "held",
        /// The recipient must not be written to.
        Suppressed = "suppressed",
        /// What it would have said was no longer so.
        Cancelled = "cancelled",
        /// The worker vanished; another attempt took over.
        Lost = "lost",
    }
}

impl DeliveryState {
    /// Whether somebody outside of any attempt can still call it off: not once an attempt has it.
    #[must_use]
    pub fn can_be_called_off(self) -> bool {
        Event::Cancel.takes(self)
    }

    /// Whether a person can set it on its way again.
    #[must_use]
    pub fn can_be_released(self) -> bool {
        Event::Release.takes(self)
    }

    /// Whether nothing more happens by itself. (A person may still release some of these.)
    #[must_use]
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Queued | Self::Sending | Self::Deferred)
    }

    /// The states from which the word of an attempt leads here, as the inside of an SQL `IN (…)`.
    pub(super) fn sources(self) -> String {
        Event::word_for(self).map(Event::sources).unwrap_or_default()
    }
}
