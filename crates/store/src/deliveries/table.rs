//! The table of the ledger: what may happen to a mail, where it must stand for that, and where it stands then. It is all
//! there is to know of the ways between states: every update names its sources from it, and a test walks every pair of
//! place and event on both databases. Whatever is not in the table changes nothing.
//!
//! [`markdown`] writes it as it stands in `docs/JOBS.md`.

use super::state::{DeliveryState, MailPhase};
use crate::endings::JobEnd;

/// Where a mail stands: its state, and while an attempt has it, how far that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// `queued`
    Queued,
    /// `deferred`
    Deferred,
    /// `sending`, before the body: a broken connection has sent nothing.
    Envelope,
    /// `sending`, the body begun: a break leaves its fate unknown.
    Body,
    /// `held`
    Held,
    /// `suppressed`
    Suppressed,
    /// `expired`
    Expired,
    /// `failed`
    Failed,
    /// `unknown`
    Unknown,
    /// `sent`
    Sent,
    /// `cancelled`
    Cancelled,
}

/// What may happen to a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// An attempt begins under a fresh lease.
    Begins,
    /// An attempt begins that may send again what may have arrived: of class `alert`.
    BeginsAgain,
    /// The receiver answered DATA with 354, and the attempt still has its lease.
    Marked,
    /// The receiver said 250 after the dot.
    Taken,
    /// A temporary failure, or a receiver that wants its mails one after the other.
    PutOff,
    /// A refusal for good, or a mail that cannot be made.
    Refused,
    /// The answer after the dot was lost.
    ReplyLost,
    /// The attempt finds that its deadline has passed.
    TooLate,
    /// The attempt finds that its domain would not authenticate, or that its worker lacks its sender or template.
    NotAuthentic,
    /// The attempt finds that its recipient must not be written to.
    Unwanted,
    /// The attempt finds that what it says is no longer so.
    Untrue,
    /// A person, or a newer version of its booking, calls it off.
    Cancel,
    /// A person, a repaired domain or a lifted suppression sets it on its way again.
    Release,
    /// Somebody found out that it arrived.
    ResolveSent,
    /// Somebody found out that it did not.
    ResolveFailed,
    /// Its job is dead.
    JobDead,
    /// Its job was cancelled.
    JobCancelled,
    /// Its job expired.
    JobExpired,
}

use Event as E;
use Place as P;

/// What needs no attempt to be called off.
const WAITING: &[Place] = &[P::Queued, P::Deferred];
const SENDING: &[Place] = &[P::Envelope, P::Body];
const NOT_YET_WRITTEN: &[Place] = &[P::Queued, P::Deferred, P::Envelope];

/// Every way there is.
pub const TABLE: &[(Event, &[Place], Place)] = &[
    (E::Begins, WAITING, P::Envelope),
    (E::Begins, &[P::Envelope], P::Envelope),
    (E::Begins, &[P::Body], P::Unknown),
    (E::BeginsAgain, NOT_YET_WRITTEN, P::Envelope),
    (E::BeginsAgain, &[P::Body], P::Envelope),
    (E::Marked, &[P::Envelope], P::Body),
    (E::Taken, SENDING, P::Sent),
    (E::Taken, &[P::Unknown], P::Sent),
    (E::PutOff, SENDING, P::Deferred),
    (E::Refused, SENDING, P::Failed),
    (E::Refused, &[P::Unknown], P::Failed),
    (E::ReplyLost, SENDING, P::Unknown),
    (E::TooLate, SENDING, P::Expired),
    (E::NotAuthentic, SENDING, P::Held),
    (E::Unwanted, SENDING, P::Suppressed),
    (E::Untrue, SENDING, P::Cancelled),
    (E::Cancel, &[P::Queued, P::Deferred, P::Held, P::Unknown], P::Cancelled),
    (E::Release, &[P::Queued, P::Deferred, P::Held, P::Suppressed, P::Expired, P::Failed, P::Unknown], P::Queued),
    (E::ResolveSent, &[P::Unknown], P::Sent),
    (E::ResolveFailed, &[P::Unknown], P::Failed),
    (E::JobDead, NOT_YET_WRITTEN, P::Failed),
    (E::JobDead, &[P::Body], P::Unknown),
    (E::JobCancelled, NOT_YET_WRITTEN, P::Cancelled),
    (E::JobCancelled, &[P::Body], P::Unknown),
    (E::JobExpired, NOT_YET_WRITTEN, P::Expired),
    (E::JobExpired, &[P::Body], P::Unknown),
];

impl Place {
    /// Every place, in the order in which a mail may come to them.
    pub const ALL: [Self; 11] = [
        Self::Queued,
        Self::Deferred,
        Self::Envelope,
        Self::Body,
        Self::Held,
        Self::Suppressed,
        Self::Expired,
        Self::Failed,
        Self::Unknown,
        Self::Sent,
        Self::Cancelled,
    ];

    /// The place of a mail in this state, whose attempt is so far.
    #[must_use]
    pub fn of(state: DeliveryState, phase: Option<MailPhase>) -> Self {
        match (state, phase) {
            (DeliveryState::Queued, _) => Self::Queued,
            (DeliveryState::Deferred, _) => Self::Deferred,
            (DeliveryState::Sending, Some(MailPhase::Data)) => Self::Body,
            (DeliveryState::Sending, _) => Self::Envelope,
            (DeliveryState::Held, _) => Self::Held,
            (DeliveryState::Suppressed, _) => Self::Suppressed,
            (DeliveryState::Expired, _) => Self::Expired,
            (DeliveryState::Failed, _) => Self::Failed,
            (DeliveryState::Unknown, _) => Self::Unknown,
            (DeliveryState::Sent, _) => Self::Sent,
            (DeliveryState::Cancelled, _) => Self::Cancelled,
        }
    }

    /// The state that is written down.
    #[must_use]
    pub fn state(self) -> DeliveryState {
        match self {
            Self::Queued => DeliveryState::Queued,
            Self::Deferred => DeliveryState::Deferred,
            Self::Envelope | Self::Body => DeliveryState::Sending,
            Self::Held => DeliveryState::Held,
            Self::Suppressed => DeliveryState::Suppressed,
            Self::Expired => DeliveryState::Expired,
            Self::Failed => DeliveryState::Failed,
            Self::Unknown => DeliveryState::Unknown,
            Self::Sent => DeliveryState::Sent,
            Self::Cancelled => DeliveryState::Cancelled,
        }
    }

    /// Where the event leads from here; `None`: it changes nothing.
    #[must_use]
    pub fn after(self, event: Event) -> Option<Self> {
        TABLE.iter().find(|(what, from, _)| *what == event && from.contains(&self)).map(|(_, _, to)| *to)
    }

    fn words(self) -> &'static str {
        match self {
            Self::Envelope => "sending (envelope)",
            Self::Body => "sending (body)",
            other => other.state().as_str(),
        }
    }
}

impl Event {
    /// Every event, in the order of the table.
    pub const ALL: [Self; 18] = [
        Self::Begins,
        Self::BeginsAgain,
        Self::Marked,
        Self::Taken,
        Self::PutOff,
        Self::Refused,
        Self::ReplyLost,
        Self::TooLate,
        Self::NotAuthentic,
        Self::Unwanted,
        Self::Untrue,
        Self::Cancel,
        Self::Release,
        Self::ResolveSent,
        Self::ResolveFailed,
        Self::JobDead,
        Self::JobCancelled,
        Self::JobExpired,
    ];

    /// Whether it changes anything for a mail in this state, wherever its attempt is.
    #[must_use]
    pub fn takes(self, state: DeliveryState) -> bool {
        Place::ALL.into_iter().any(|place| place.state() == state && place.after(self).is_some())
    }

    /// The word of an attempt that leads to `state`.
    pub(super) fn word_for(state: DeliveryState) -> Option<Self> {
        Some(match state {
            DeliveryState::Sent => Self::Taken,
            DeliveryState::Deferred => Self::PutOff,
            DeliveryState::Failed => Self::Refused,
            DeliveryState::Unknown => Self::ReplyLost,
            DeliveryState::Expired => Self::TooLate,
            DeliveryState::Held => Self::NotAuthentic,
            DeliveryState::Suppressed => Self::Unwanted,
            DeliveryState::Cancelled => Self::Untrue,
            DeliveryState::Queued | DeliveryState::Sending => return None,
        })
    }

    /// The end of a job as an event.
    #[must_use]
    pub fn of_job(ended: JobEnd) -> Self {
        match ended {
            JobEnd::Dead => Self::JobDead,
            JobEnd::Cancelled => Self::JobCancelled,
            JobEnd::Expired => Self::JobExpired,
        }
    }

    /// The states in which it changes something, as the inside of an SQL `IN (…)`.
    pub(super) fn sources(self) -> String {
        let from = DeliveryState::ALL.iter().filter(|state| self.takes(**state));
        from.map(|state| format!("'{state}'")).collect::<Vec<_>>().join(", ")
    }

    fn words(self) -> &'static str {
        match self {
            Self::Begins => "an attempt begins",
            Self::BeginsAgain => "the same, of class `alert`",
            Self::Marked => "354, and the lease is still held",
            Self::Taken => "250 after the dot",
            Self::PutOff => "a temporary failure, or its turn has not come",
            Self::Refused => "refused for good, or cannot be made",
            Self::ReplyLost => "the answer after the dot is lost",
            Self::TooLate => "its deadline has passed",
            Self::NotAuthentic => "its domain would not authenticate, or what it needs is not there",
            Self::Unwanted => "its recipient must not be written to",
            Self::Untrue => "what it says is no longer so",
            Self::Cancel => "cancel: a person, or a newer version of its booking",
            Self::Release => "resend: a person, a mended domain, a lifted suppression",
            Self::ResolveSent => "resolve: it arrived",
            Self::ResolveFailed => "resolve: it did not",
            Self::JobDead => "its job is dead",
            Self::JobCancelled => "its job is cancelled",
            Self::JobExpired => "its job is expired",
        }
    }
}

/// The table for people: a line an event, as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut text = "| What happens | to a mail that is | leads to |\n|---|---|---|\n".to_owned();
    for (event, from, to) in TABLE {
        let from: Vec<&str> = from.iter().map(|place| place.words()).collect();
        text.push_str(&format!("| {} | {} | {} |\n", event.words(), from.join(", "), to.words()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pair_of_place_and_event_stands_there_twice_and_every_event_does() {
        for event in Event::ALL {
            for place in Place::ALL {
                let ways = TABLE.iter().filter(|(what, from, _)| *what == event && from.contains(&place));
                assert!(ways.count() <= 1, "{event:?} at {place:?}");
            }
            assert!(TABLE.iter().any(|(what, _, _)| *what == event), "{event:?}");
        }
    }

    #[test]
    fn sent_and_cancelled_mails_stay_so_and_every_other_has_a_way_out() {
        for place in Place::ALL {
            let moves = Event::ALL.into_iter().any(|event| place.after(event).is_some());
            assert_eq!(moves, !matches!(place, Place::Sent | Place::Cancelled), "{place:?}");
        }
    }

    #[test]
    fn nothing_but_an_answer_or_a_person_makes_a_mail_sent() {
        let ways: Vec<_> = TABLE.iter().filter(|(_, _, to)| *to == Place::Sent).map(|(event, ..)| *event).collect();
        assert_eq!(ways, [Event::Taken, Event::Taken, Event::ResolveSent]);
    }

    #[test]
    fn once_the_body_has_begun_nobody_claims_to_know_without_an_answer() {
        for event in [Event::Begins, Event::JobDead, Event::JobCancelled, Event::JobExpired] {
            assert_eq!(Place::Body.after(event), Some(Place::Unknown), "{event:?}");
        }
        assert!(Place::Body.after(Event::Cancel).is_none() && Place::Body.after(Event::Release).is_none());
    }

    #[test]
    fn a_place_is_told_by_state_and_phase() {
        for place in Place::ALL {
            let phase = match place {
                Place::Envelope => Some(MailPhase::Envelope),
                Place::Body => Some(MailPhase::Data),
                _ => None,
            };
            assert_eq!(Place::of(place.state(), phase), place);
        }
    }

    #[test]
    fn the_table_reads_the_same_in_sql_and_in_the_documentation() {
        assert_eq!(Event::Begins.sources(), "'queued', 'sending', 'deferred'");
        assert_eq!(Event::PutOff.sources(), "'sending'");
        let docs = include_str!("../../../../docs/JOBS.md");
        assert!(docs.contains(&markdown()), "docs/JOBS.md has another table than this:\n{}", markdown());
    }
}
