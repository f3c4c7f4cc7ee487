//! Messages to the operators that do not get through are told by another way.
//!
//! 1. Of mails: the receiver's own webhook or chat, or that of another receiver.
//! 2. Of what a webhook or chat will not take: a mail, to the receiver's own people or another's; else the other way again.
//! 3. It is a message of its own, no incident, so that nothing goes in a circle; where there is no other way the log has to do.

use std::collections::BTreeMap;

use alerting::Severity;
use store::{Channel, NewDelivery, NewNotification, NotificationState, Reason, Target, Trouble};
use telemetry::redact::{Address, Text};
use tracing::error;
use uuid::Uuid;

use super::letter;
use super::rules::AlertRules;
use super::teller::{called, mailed};

/// The messages about what does not get through, one for each way that is left, and their mails.
pub(super) fn tell(
    rules: &AlertRules,
    trouble: &[Trouble],
    mail_id: impl Fn() -> Uuid,
    id: impl Fn() -> Uuid,
) -> (Vec<NewNotification>, Vec<NewDelivery>) {
    let mut ways: BTreeMap<(&str, String), (Target, Vec<&Trouble>)> = BTreeMap::new();
    for one in trouble {
        let reason = Text(one.reason.as_deref().unwrap_or_default()).to_string();
        let (notification_id, channel) = (one.notification.id, one.notification.target.channel);
        error!(%notification_id, %channel, reason, "a message to the operators does not get through");
        for (receiver, target) in ways_round(rules, one) {
            ways.entry((receiver, target.key())).or_insert_with(|| (target, Vec::new())).1.push(one);
        }
    }
    let (mut messages, mut mails) = (Vec::new(), Vec::new());
    for ((receiver, _), (target, trouble)) in ways {
        let (id, title) = (id(), title(&trouble));
        let mail = (target.channel == Channel::Email)
            .then(|| letter::of_trouble(&title, &trouble, id, &target.name, mail_id()));
        messages.push(NewNotification {
            id,
            group_key: None,
            receiver: receiver.to_owned(),
            target,
            reason: Reason::Undelivered,
            severity: Severity::Critical,
            title,
            state: if mail.is_some() { NotificationState::Mailed } else { NotificationState::Queued },
            delivery_id: mail.as_ref().map(|mail| mail.id),
            // A mail that tells of nothing by itself, a digest, is told of all the same.
            about: Vec::new(),
        });
        mails.extend(mail);
    }
    (messages, mails)
}

/// Who is told of a message that does not get through, by which receiver's ways.
fn ways_round<'a>(rules: &'a AlertRules, trouble: &Trouble) -> Vec<(&'a str, Target)> {
    let failed = &trouble.notification;
    let other = rules.other_way(&failed.receiver);
    let called =
        other.into_iter().flat_map(|(name, receiver)| called(name, receiver).map(move |target| (name, target)));
    let called = called.filter(|(_, target)| *target != failed.target).collect();
    match (failed.target.channel, rules.mail_way(&failed.receiver)) {
        (Channel::Email, _) | (_, None) => called,
        (_, Some((name, receiver))) => mailed(receiver).map(|target| (name, target)).collect(),
    }
}

fn title(trouble: &[&Trouble]) -> String {
    let Some(first) = trouble.first() else { return String::new() };
    let why = Text(first.reason.as_deref().unwrap_or("no reason is known")).to_string();
    let (title, target) = (&first.notification.title, &first.notification.target);
    let (what, one) = match first.mail {
        Some(state) => {
            (format!("{title} to {}: {why}", Address(&target.name)), format!("A mail to the operators is {state}"))
        }
        None => (
            format!("{title} to the {} of {}: {why}", target.channel, target.name),
            format!("A {} does not take messages to the operators", target.channel),
        ),
    };
    match trouble.len() {
        1 => format!("{one}: {what}"),
        n => format!("{n} messages to the operators do not get through; the first: {what}"),
    }
}
