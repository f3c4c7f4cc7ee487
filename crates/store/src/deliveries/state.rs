//! The states of a mail in the ledger and the ways between them: the one table that every update obeys.

use crate::endings::JobEnd;
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
        /// Not sent, because the sender's domain would not authenticate; released by a repair or a person.
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
    /// Whether a mail in this state may go over to `to`.
    ///
    /// | from | to | by |
    /// |---|---|---|
    /// | queued, deferred | sending | an attempt begins |
    /// | sending | sending | another attempt takes over from one that vanished |
    /// | sending | sent, deferred, failed, unknown, expired, held, suppressed, cancelled | the attempt that holds the lease |
    /// | unknown | sent, failed | that attempt, when it got its reply after all; or a person |
    /// | queued, deferred, held, unknown | cancelled | a person or the sender |
    /// | all but sending, sent, cancelled | queued | a release: a repaired domain, or a person |
    ///
    /// Beside these there is what follows the job's own end ([`DeliveryState::after_job`]) and its undoing: a mail that
    /// ended only because its job did is begun again by that job, redriven.
    #[must_use]
    pub fn can(self, to: Self) -> bool {
        use DeliveryState as S;
        match to {
            S::Sending => matches!(self, S::Queued | S::Deferred | S::Sending),
            S::Sent | S::Failed => matches!(self, S::Sending | S::Unknown),
            S::Deferred | S::Unknown | S::Expired | S::Held | S::Suppressed => self == S::Sending,
            S::Cancelled => self == S::Sending || self.can_be_called_off(),
            S::Queued => !matches!(self, S::Sending | S::Sent | S::Cancelled),
        }
    }

    /// Whether somebody outside of any attempt can still call it off: not once an attempt has it.
    #[must_use]
    pub fn can_be_called_off(self) -> bool {
        matches!(self, Self::Queued | Self::Deferred | Self::Held | Self::Unknown)
    }

    /// Where a mail in this state and phase ends when its job ended without bringing it to an end; nothing where it has
    /// one already.
    ///
    /// | mail | job dead | job cancelled | job expired |
    /// |---|---|---|---|
    /// | queued, deferred, sending before the body | failed | cancelled | expired |
    /// | sending, the body begun | unknown | unknown | unknown |
    #[must_use]
    pub fn after_job(self, phase: Option<MailPhase>, ended: JobEnd) -> Option<Self> {
        match (self, phase, ended) {
            (Self::Sending, Some(MailPhase::Data), _) => Some(Self::Unknown),
            (state, _, _) if state.is_terminal() => None,
            (_, _, JobEnd::Dead) => Some(Self::Failed),
            (_, _, JobEnd::Cancelled) => Some(Self::Cancelled),
            (_, _, JobEnd::Expired) => Some(Self::Expired),
        }
    }

    /// Whether nothing more happens by itself. (A person may still release some of these.)
    #[must_use]
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Queued | Self::Sending | Self::Deferred)
    }

    /// The states that may go over to `self`, as the inside of an SQL `IN (…)`.
    pub(super) fn sources(self) -> String {
        let from = Self::ALL.iter().filter(|from| from.can(self));
        from.map(|from| format!("'{from}'")).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::DeliveryState::{self, *};
    use super::{JobEnd, MailPhase};

    #[test]
    fn sent_and_cancelled_mails_stay_so() {
        for to in DeliveryState::ALL {
            assert!(!Sent.can(*to), "{to}");
            assert!(!Cancelled.can(*to), "{to}");
        }
    }

    #[test]
    fn only_an_attempt_leads_to_sent_and_an_unknown_fate_may_turn_out_well() {
        let sources: Vec<_> = DeliveryState::ALL.iter().filter(|from| from.can(Sent)).collect();
        assert_eq!(sources, [&Sending, &Unknown]);
    }

    #[test]
    fn a_mail_on_its_way_can_be_neither_cancelled_nor_released() {
        assert!(!Sending.can_be_called_off());
        assert!(!Sending.can(Queued));
    }

    #[test]
    fn every_state_but_sent_and_cancelled_has_a_way_out() {
        for from in DeliveryState::ALL.iter().filter(|from| !matches!(from, Sent | Cancelled)) {
            assert!(DeliveryState::ALL.iter().any(|to| from.can(*to)), "{from}");
        }
    }

    #[test]
    fn a_mail_ends_with_its_job_unless_it_has_an_end_and_nobody_claims_to_know_what_became_of_a_body() {
        let envelope = Some(MailPhase::Envelope);
        for ended in JobEnd::ALL {
            assert_eq!(Sending.after_job(Some(MailPhase::Data), *ended), Some(Unknown));
            for ended_already in [Sent, Held, Suppressed, Cancelled, Expired, Failed, Unknown] {
                assert_eq!(ended_already.after_job(None, *ended), None);
            }
        }
        for (from, phase) in [(Queued, None), (Deferred, None), (Sending, envelope)] {
            assert_eq!(from.after_job(phase, JobEnd::Dead), Some(Failed));
            assert_eq!(from.after_job(phase, JobEnd::Cancelled), Some(Cancelled));
            assert_eq!(from.after_job(phase, JobEnd::Expired), Some(Expired));
        }
    }

    #[test]
    fn the_table_reads_the_same_in_sql() {
        assert_eq!(Sending.sources(), "'queued', 'sending', 'deferred'");
        assert_eq!(Deferred.sources(), "'sending'");
    }
}
