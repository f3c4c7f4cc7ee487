//! Why did this person get, or not get, this mail? The ledger's row, attempts and deeds, told in sentences.
//!
//! For whoever answers the person: no address stands in it, and what a relay said is quoted as it was said.

use jiff::Timestamp;

use super::class::Class;
use super::events::{DeliveryEvent, DeliveryEventKind};
use super::history::{Deed, History};
use super::record::{Attempt, Delivery};
use super::state::{AttemptOutcome, DeliveryState};
use crate::people::ERASED_ADDRESS;

/// The mail's story, one sentence an item: how it stands first, then what led there, then what can be done.
#[must_use]
pub fn story(history: &History, now: Timestamp) -> Vec<String> {
    let History { delivery, attempts, deeds, events } = history;
    let mut told = vec![standing(delivery, attempts.last(), now)];
    if attempts.len() > 1 || delivery.state != DeliveryState::Sent {
        told.extend(attempts.iter().map(attempt));
    }
    told.extend(deeds.iter().map(deed));
    told.extend(events.iter().map(event));
    told.extend(way_out(delivery));
    told
}

fn standing(mail: &Delivery, last: Option<&Attempt>, now: Timestamp) -> String {
    let why = || mail.last_error.as_deref().map_or_else(String::new, |why| format!(": {why}"));
    let deadline = || match mail.deadline {
        Some(deadline) if deadline > now => format!(" It is tried until {}.", second(deadline)),
        Some(deadline) => format!(" Its deadline was {}.", second(deadline)),
        None => String::new(),
    };
    match mail.state {
        DeliveryState::Queued if mail.release > 0 => format!("It waits to be sent again.{}", deadline()),
        DeliveryState::Queued => format!("It waits to be sent: no attempt has begun yet.{}", deadline()),
        DeliveryState::Sending => format!("It is being sent now, attempt {}.", mail.attempts),
        DeliveryState::Sent => sent(mail, last),
        DeliveryState::Deferred => {
            let next =
                mail.next_attempt_at.map_or_else(String::new, |at| format!(" It is tried again at {}.", second(at)));
            format!("Not sent yet{}.{next}{}", why(), deadline())
        }
        DeliveryState::Held => format!("Held{}.", why()),
        DeliveryState::Suppressed => format!("Not sent, because the recipient must not be written to{}.", why()),
        DeliveryState::Cancelled => format!("Called off before it was sent{}.", why()),
        DeliveryState::Expired => format!("Not sent in the time in which it was worth sending{}.{}", why(), deadline()),
        DeliveryState::Failed => format!("Not sent, and not tried again{}.", why()),
        DeliveryState::Unknown => format!(
            "Nobody knows whether it arrived{}. All of it may have been written, and no answer was read. It is not sent \
             again by itself.",
            why()
        ),
    }
}

fn sent(mail: &Delivery, last: Option<&Attempt>) -> String {
    let when = mail.sent_at.map_or_else(String::new, |at| format!(" at {}", second(at)));
    match last.filter(|attempt| attempt.outcome == AttemptOutcome::Sent) {
        Some(attempt) => format!(
            "The relay {} took it{when}, on attempt {}, and said: {}. What the receiver did with it later, the relay knows \
             under its Message-ID {}.",
            attempt.relay.as_deref().unwrap_or("(unnamed)"),
            attempt.n,
            answer(attempt),
            mail.message_id.as_deref().unwrap_or("(none)")
        ),
        None => format!("It counts as sent{when}, because somebody said so."),
    }
}

fn attempt(attempt: &Attempt) -> String {
    let phase = attempt.phase.as_deref().map_or_else(String::new, |phase| format!(" at {phase}"));
    let relay = attempt.relay.as_deref().map_or_else(String::new, |relay| format!(" with {relay}"));
    let ended = match attempt.outcome {
        AttemptOutcome::Sent => "the mail was taken",
        AttemptOutcome::Deferred => "it was put off",
        AttemptOutcome::Failed => "it was refused for good",
        AttemptOutcome::Unknown => "its end is unknown",
        AttemptOutcome::Expired => "its time was over",
        AttemptOutcome::Held => "it was held",
        AttemptOutcome::Suppressed => "it was suppressed",
        AttemptOutcome::Cancelled => "it was called off",
        AttemptOutcome::Lost => "its worker vanished before the mail was written",
    };
    format!("Attempt {} at {}{relay}: {ended}{phase}: {}.", attempt.n, second(attempt.started_at), answer(attempt))
}

/// `450 4.2.1 over quota`, as far as there is one.
fn answer(attempt: &Attempt) -> String {
    let code = attempt.code.map(|code| code.to_string());
    let words = [code.as_deref(), attempt.enhanced.as_deref(), attempt.text.as_deref()];
    let said = words.into_iter().flatten().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if said.is_empty() { "nothing was said".to_owned() } else { said.trim_end_matches('.').to_owned() }
}

fn deed(deed: &Deed) -> String {
    use super::intervene::Action as A;
    let done = match deed.action {
        A::Cancel => "called off",
        A::Resend => "set on its way again",
        A::ResolveSent => "said to have arrived",
        A::ResolveFailed => "said not to have arrived",
    };
    format!("At {} it was {done} by {}; it had been {}.", second(deed.at), deed.actor, deed.found)
}

/// What came back about it.
fn event(event: &DeliveryEvent) -> String {
    let doubt = if event.verified { "" } else { ", unproven" };
    let words = [event.status.as_deref(), event.text.as_deref()];
    let said = words.into_iter().flatten().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let said = if said.is_empty() { String::new() } else { format!(": {}", said.trim_end_matches('.')) };
    if event.kind == DeliveryEventKind::Redirected {
        return format!("At {} it was sent elsewhere{said}.", second(event.at));
    }
    format!("At {} a report came back ({}{doubt}){said}.", second(event.at), event.kind)
}

/// What can be done about it.
fn way_out(mail: &Delivery) -> Option<String> {
    if mail.recipient == ERASED_ADDRESS && mail.state != DeliveryState::Sent {
        return Some("Its recipient was erased: it cannot be sent again.".to_owned());
    }
    if let Some(at) = mail.content_removed_at
        && mail.state.can_be_released()
    {
        return Some(format!("What it said was removed at {}: it cannot be sent again.", second(at)));
    }
    Some(match mail.state {
        DeliveryState::Held => {
            "It leaves by itself when what it lacks is there: its domain passes the checks (postrider domain check), or a \
             worker has its sender and its template; or resend or cancel it."
                .to_owned()
        }
        DeliveryState::Unknown => format!(
            "Ask the relay for Message-ID {}; then resolve it as sent or failed, or resend it.",
            mail.message_id.as_deref().unwrap_or("(none)")
        ),
        DeliveryState::Failed | DeliveryState::Expired | DeliveryState::Suppressed => {
            "Once the reason is gone it can be resent.".to_owned()
        }
        DeliveryState::Deferred if mail.class == Class::Booking => "It can be cancelled, or resent at once.".to_owned(),
        _ => return None,
    })
}

/// Whole seconds are what people compare.
fn second(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}
