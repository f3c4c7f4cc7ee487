//! The rules by which groups tell, as the store asks for them under lock: what is news (`decide`), to whom, and whether now
//! (`admit`).

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use store::{
    Change, Channel, Digest, DueDigest, DueGroup, Flush, IncidentEvent, NewDelivery, NewNotification,
    NotificationState, Reason, Target, Throttle,
};
use tracing::error;
use uuid::Uuid;

use super::admit::{admit, admit_digest, is_capped};
use super::decide::{Message, decide};
use super::forecast::Forecast;
use super::mute::Mutes;
use super::rules::{AlertRules, Receiver};
use super::{lasting, letter};

/// Tells at one moment.
pub(super) struct Telling<'a> {
    pub(super) rules: &'a AlertRules,
    pub(super) mutes: &'a Mutes<'a>,
    pub(super) forecast: &'a Forecast,
    pub(super) now: Timestamp,
    /// A new id for a mail, and for anything else: their jobs wait in different queues.
    pub(super) mail_id: &'a (dyn Fn() -> Uuid + Sync),
    pub(super) id: &'a (dyn Fn() -> Uuid + Sync),
    /// What the messages say, until they are admitted.
    pub(super) said: HashMap<Uuid, Message>,
    /// Who knows that an incident is over.
    pub(super) know: HashSet<(Uuid, Target)>,
}

impl store::Teller for Telling<'_> {
    fn decide(&mut self, due: Vec<DueGroup>) -> Flush {
        let mut flush = Flush::default();
        for group in due {
            let key = group.key.clone();
            let decided = decide(&self.rules.routes, group, |incident| self.mutes.reason(incident), self.now);
            flush.groups.push(decided.group);
            flush.calls.extend(decided.calls);
            flush.events.extend(decided.events.into_iter().map(|(incident_id, kind, note)| IncidentEvent {
                id: (self.id)(),
                incident_id,
                at: self.now,
                kind,
                actor: None,
                note,
            }));
            self.know.extend(decided.know);
            for message in decided.messages {
                flush.messages.extend(self.messages_of(&key, &message));
            }
        }
        flush
    }

    fn admit(
        &mut self,
        messages: &mut [NewNotification],
        throttles: &mut HashMap<Target, Throttle>,
    ) -> Vec<NewDelivery> {
        let mut mails = Vec::new();
        for message in messages {
            let Some(throttle) = throttles.get_mut(&message.target) else { continue };
            let is_storm = self.forecast.is_storm(&message.target);
            let told = admit(throttle, message.target.channel, is_storm, self.rules, self.now);
            message.state = match (told, message.target.channel) {
                (false, _) => NotificationState::Held,
                (true, Channel::Email) => NotificationState::Mailed,
                (true, Channel::Webhook | Channel::Slack) => NotificationState::Queued,
            };
            let said = self.said.remove(&message.id);
            if let (NotificationState::Mailed, Some(said)) = (message.state, said) {
                let mail = letter::of(self.rules, &said, message.id, &message.target.name, (self.mail_id)());
                message.delivery_id = Some(mail.id);
                mails.push(mail);
            }
        }
        mails
    }
}

impl Telling<'_> {
    /// A message for each person and channel of its receiver, without the ends that they know of already: somebody may be
    /// told by several groups and steps.
    fn messages_of(&mut self, group: &str, message: &Message) -> Vec<NewNotification> {
        let Some(receiver) = self.rules.receiver(&message.receiver) else {
            // Start-up checks that every route has its receiver: this is a defect.
            error!(receiver = message.receiver, "a route tells a receiver that there is not");
            return Vec::new();
        };
        let mut all = Vec::new();
        for target in targets(&message.receiver, receiver) {
            let mut message = message.clone();
            message.about.retain(|(incident, change)| {
                *change != Change::Over || self.know.insert((incident.id, target.clone()))
            });
            if message.reason == Reason::Resolved && message.about.iter().all(|(_, change)| *change == Change::Still) {
                continue;
            }
            let id = (self.id)();
            all.push(NewNotification {
                id,
                group_key: Some(group.to_owned()),
                receiver: message.receiver.clone(),
                target,
                reason: message.reason,
                severity: message.severity(),
                title: message.title(),
                state: NotificationState::Held,
                delivery_id: None,
                about: message.stored(),
            });
            self.said.insert(id, message);
        }
        all
    }
}

/// Everybody and everything that a receiver stands for.
pub(super) fn targets(name: &str, receiver: &Receiver) -> Vec<Target> {
    let mut targets: Vec<Target> = mailed(receiver).collect();
    targets.extend(called(name, receiver));
    let mut seen = HashSet::new();
    targets.retain(|target| seen.insert(target.clone()));
    targets
}

/// The people of a receiver.
pub(super) fn mailed(receiver: &Receiver) -> impl Iterator<Item = Target> {
    receiver.emails.iter().map(|address| Target { channel: Channel::Email, name: address.to_lowercase() })
}

/// The ways of a receiver that are not mail.
pub(super) fn called(name: &str, receiver: &Receiver) -> impl Iterator<Item = Target> {
    let target = |channel, there: bool| there.then(|| Target { channel, name: name.to_owned() });
    let webhook = target(Channel::Webhook, receiver.webhook.is_some());
    webhook.into_iter().chain(target(Channel::Slack, receiver.slack.is_some()))
}

/// What becomes of a digest that is due.
pub(super) fn digest(
    rules: &AlertRules,
    due: &DueDigest,
    now: Timestamp,
    mail_id: impl FnOnce() -> Uuid,
    id: Uuid,
) -> Digest {
    let mut throttle = due.throttle;
    let capped = is_capped(&throttle, due.target.channel, rules);
    if let Err(later) = admit_digest(&mut throttle, due.target.channel, rules, now) {
        return Digest::Later(later);
    }
    let total: i64 = due.counts.iter().map(|count| count.incidents).sum();
    let span = std::time::Duration::try_from(now.duration_since(due.since)).unwrap_or_default();
    let mail = (due.target.channel == Channel::Email)
        .then(|| Box::new(letter::of_digest(rules, due, capped, id, now, mail_id())));
    let message = NewNotification {
        id,
        group_key: None,
        receiver: due.receiver.clone(),
        target: due.target.clone(),
        reason: Reason::Digest,
        severity: due.counts.first().map_or(alerting::Severity::Info, |count| count.severity),
        title: match due.incidents.as_slice() {
            [only] if total == 1 => only.title.clone(),
            _ => format!("{total} alerts in {}", lasting(span.max(std::time::Duration::from_secs(60)))),
        },
        state: if mail.is_some() { NotificationState::Mailed } else { NotificationState::Queued },
        delivery_id: mail.as_ref().map(|mail| mail.id),
        about: Vec::new(),
    };
    Digest::Tell { message: Box::new(message), mail, throttle }
}
