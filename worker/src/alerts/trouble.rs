//! Mails to the operators that do not get through are told by another way: the receiver's own webhook or chat, or that of
//! another receiver. It is a message of its own, no incident, so that nothing goes in a circle; where there is no other way
//! the log has to do.

use std::collections::BTreeMap;

use alerting::Severity;
use store::{MailTrouble, NewNotification, NotificationState, Reason};
use telemetry::redact::{Address, Text};
use tracing::error;
use uuid::Uuid;

use super::rules::AlertRules;
use super::teller::called;

/// The messages about mails that do not get through, one for each way that is left.
pub(super) fn tell(rules: &AlertRules, trouble: &[MailTrouble], mut id: impl FnMut() -> Uuid) -> Vec<NewNotification> {
    let mut ways: BTreeMap<&str, Vec<&MailTrouble>> = BTreeMap::new();
    for one in trouble {
        let reason = Text(one.reason.as_deref().unwrap_or_default()).to_string();
        let (notification_id, state) = (one.notification.id, one.state);
        error!(%notification_id, %state, reason, "a mail to the operators does not get through");
        if let Some((way, _)) = rules.other_way(&one.notification.receiver) {
            ways.entry(way).or_default().push(one);
        }
    }
    let mut messages = Vec::new();
    for (way, trouble) in ways {
        let Some(receiver) = rules.receiver(way) else { continue };
        for target in called(way, receiver) {
            messages.push(NewNotification {
                id: id(),
                group_key: None,
                receiver: way.to_owned(),
                target,
                reason: Reason::Undelivered,
                severity: Severity::Critical,
                title: title(&trouble),
                state: NotificationState::Queued,
                delivery_id: None,
                // A mail that tells of nothing by itself, a digest, is told of all the same.
                about: Vec::new(),
            });
        }
    }
    messages
}

fn title(trouble: &[&MailTrouble]) -> String {
    let Some(first) = trouble.first() else { return String::new() };
    let why = Text(first.reason.as_deref().unwrap_or("no reason is known")).to_string();
    let mail = format!("{} to {}", first.notification.title, Address(&first.notification.target.name));
    match trouble.len() {
        1 => format!("A mail to the operators is {}: {mail}: {why}", first.state),
        n => format!("{n} mails to the operators do not get through; the first is {}: {mail}: {why}", first.state),
    }
}
