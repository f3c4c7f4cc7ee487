//! The mail about incidents: which template, and what it is filled with. The link to acknowledge is made when the mail goes.
//!
//! | message | template |
//! |---|---|
//! | of one incident that begins, goes on, or nobody took on | `alert_raised` |
//! | of one that is over | `alert_resolved` |
//! | of several | `alert_group` |
//! | of what was held back | `alert_digest` |
//! | of what a webhook or chat did not take | `alert_undelivered` |

use std::time::Duration;

use alerting::Severity;
use jiff::Timestamp;
use mail::Locale;
use serde_json::{Value, json};
use store::{Category, Change, DueDigest, Incident, NewDelivery, Reason, Trouble};
use telemetry::redact::Text;
use uuid::Uuid;

use super::decide::Message;
use super::rules::{AlertRules, SENDER};

/// Incidents that a mail names of each kind.
const NAMED: usize = 20;
/// The longest first line of a message that stands for all of it.
const SUMMARY: usize = 300;

/// The mail of a message to one address, under the id `id`, which is also its job's.
pub(super) fn of(rules: &AlertRules, message: &Message, notification: Uuid, to: &str, id: Uuid) -> NewDelivery {
    let (template, mut data) = match message.about.as_slice() {
        [(incident, Change::Over)] => ("alert_resolved", resolved(rules, incident)),
        [(incident, _)] => ("alert_raised", raised(rules, incident, message.reason)),
        _ => ("alert_group", group(rules, message)),
    };
    data["notification_id"] = json!(notification);
    mail(notification, template, data, to, id)
}

/// The mail of a digest.
pub(super) fn of_digest(
    rules: &AlertRules,
    due: &DueDigest,
    capped: bool,
    notification: Uuid,
    now: Timestamp,
    id: Uuid,
) -> NewDelivery {
    let total: i64 = due.counts.iter().map(|count| count.incidents).sum();
    let counts: Vec<Value> = due
        .counts
        .iter()
        .map(|count| {
            json!({ "severity": count.severity, "raised": count.incidents, "resolved": count.resolved,
                    "open": count.incidents - count.resolved })
        })
        .collect();
    let named: Vec<Value> = due.incidents.iter().map(|incident| line(rules, incident)).collect();
    let more = usize::try_from(total).unwrap_or(usize::MAX).saturating_sub(named.len());
    let window = Duration::try_from(now.duration_since(due.since)).unwrap_or_default();
    let data = json!({
        "severity": due.counts.first().map_or(Severity::Info, |count| count.severity),
        "total": total,
        "window": lasting(window.max(Duration::from_secs(60))),
        "counts": counts,
        "incidents": named,
        "more": (more > 0).then_some(more),
        "mails_per_hour": capped.then_some(rules.mails_per_hour),
        "ack_url": null,
        "notification_id": notification,
    });
    mail(notification, "alert_digest", data, &due.target.name, id)
}

/// The mail of messages that a webhook or chat did not take.
pub(super) fn of_trouble(title: &str, trouble: &[&Trouble], notification: Uuid, to: &str, id: Uuid) -> NewDelivery {
    let messages: Vec<Value> = trouble
        .iter()
        .take(NAMED)
        .map(|one| {
            let why = one.reason.as_deref().unwrap_or("no reason is known");
            json!({
                "title": one.notification.title,
                "severity": one.notification.severity,
                "way": format!("{} of {}", one.notification.target.channel, one.notification.target.name),
                "reason": cut(&Text(why).to_string(), SUMMARY),
            })
        })
        .collect();
    let more = trouble.len() - messages.len();
    let data = json!({ "title": cut(title, SUMMARY), "messages": messages, "more": (more > 0).then_some(more) });
    mail(notification, "alert_undelivered", data, to, id)
}

fn mail(notification: Uuid, template: &str, data: Value, to: &str, id: Uuid) -> NewDelivery {
    let key = format!("alert:{notification}");
    NewDelivery { data, ..NewDelivery::new(id, key, Category::Alert, template, SENDER, to) }
}

fn raised(rules: &AlertRules, incident: &Incident, reason: Reason) -> Value {
    let (summary, description) = split(incident);
    json!({
        "severity": incident.severity,
        "title": incident.title,
        "summary": summary,
        "since": moment(rules, incident.starts_at),
        "reported_by": incident.labels.get("source"),
        "incident_id": incident.id,
        "labels": labels(incident),
        "description": description,
        "reason": reason.as_str(),
        "reopened": (incident.reopened > 0).then_some(incident.reopened),
        "ack_url": null,
        "runbook_url": link_in(incident, "runbook_url"),
    })
}

fn resolved(rules: &AlertRules, incident: &Incident) -> Value {
    let over = incident.resolved_at.unwrap_or(incident.last_seen_at);
    json!({
        "severity": incident.severity,
        "title": incident.title,
        "since": moment(rules, incident.starts_at),
        "resolved": moment(rules, over),
        "lasted": lasting(Duration::try_from(over.duration_since(incident.starts_at)).unwrap_or_default()),
        "acknowledged_by": incident.acknowledged_by,
        "incident_id": incident.id,
        "labels": labels(incident),
        "url": null,
    })
}

fn group(rules: &AlertRules, message: &Message) -> Value {
    let of = |wanted: Change| {
        let all: Vec<&Incident> =
            message.about.iter().filter(|(_, change)| *change == wanted).map(|(incident, _)| incident).collect();
        let named: Vec<Value> = all.iter().take(NAMED).map(|incident| line(rules, incident)).collect();
        let more = all.len() - named.len();
        (named, (more > 0).then_some(more))
    };
    let ((news, more_news), (over, more_over), (still, more_still)) =
        (of(Change::News), of(Change::Over), of(Change::Still));
    let (first, others) = (&message.about[0].0, message.about.len() - 1);
    json!({
        "severity": message.severity(),
        "title": first.title,
        "others": others,
        "reason": message.reason.as_str(),
        "news": news,
        "more_news": more_news,
        "over": over,
        "more_over": more_over,
        "still": still,
        "more_still": more_still,
        "ack_url": null,
    })
}

/// An incident in a list.
fn line(rules: &AlertRules, incident: &Incident) -> Value {
    json!({
        "severity": incident.severity,
        "title": incident.title,
        "state": incident.state,
        "since": moment(rules, incident.starts_at),
        "count": incident.alerts,
        "about": about(incident),
    })
}

/// The labels in one line.
fn about(incident: &Incident) -> Option<String> {
    let words: Vec<String> = incident.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    (!words.is_empty()).then(|| words.join(", ")).map(|text| cut(&text, SUMMARY))
}

fn labels(incident: &Incident) -> Vec<Value> {
    let kind = [("type", incident.kind.as_str())];
    let all = kind.into_iter().chain(incident.labels.iter());
    all.map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

/// The first line of a message, and what follows it.
fn split(incident: &Incident) -> (String, Option<String>) {
    let text = incident.message.trim();
    let (first, rest) = text.split_once('\n').map_or((text, ""), |(first, rest)| (first.trim(), rest.trim()));
    match (first, rest) {
        ("", _) => (incident.title.clone(), None),
        (first, rest) if first.len() > SUMMARY => {
            let rest = if rest.is_empty() { first.to_owned() } else { format!("{first}\n{rest}") };
            (cut(first, SUMMARY), Some(rest))
        }
        (first, "") => (first.to_owned(), None),
        (first, rest) => (first.to_owned(), Some(rest.to_owned())),
    }
}

/// A link that the sender gave in the details; only one that a browser opens as a page.
fn link_in(incident: &Incident, name: &str) -> Option<String> {
    let url = incident.details.get(name)?.as_str()?;
    let opens = url.starts_with("https://") || url.starts_with("http://");
    let plain = url.len() <= 2000 && url.bytes().all(|b| b.is_ascii_graphic() && !b"\"'<>\\`".contains(&b));
    (opens && plain).then(|| url.to_owned())
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().find(|(i, c)| i + c.len_utf8() > most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn moment(rules: &AlertRules, at: Timestamp) -> String {
    let english = Locale::or_english(None);
    mail::when::moment(at, &rules.timezone, &english).unwrap_or_else(|_| at.to_string())
}

/// How long something lasted, as one says it.
pub(super) fn lasting(span: Duration) -> String {
    let words = |n: u64, unit: &str| format!("{n} {unit}{}", if n == 1 { "" } else { "s" });
    let pair = |n: u64, unit: &str, rest: u64, smaller: &str| match rest {
        0 => words(n, unit),
        rest => format!("{} {}", words(n, unit), words(rest, smaller)),
    };
    match span.as_secs() {
        seconds @ ..60 => words(seconds, "second"),
        seconds @ ..3600 => words(seconds / 60, "minute"),
        seconds @ ..86_400 => pair(seconds / 3600, "hour", seconds % 3600 / 60, "minute"),
        seconds => pair(seconds / 86_400, "day", seconds % 86_400 / 3600, "hour"),
    }
}

impl Message {
    /// The highest severity of what it tells; of what is over only where nothing else is told.
    pub(super) fn severity(&self) -> Severity {
        let burning = self.about.iter().filter(|(incident, _)| incident.is_active());
        let highest = burning.map(|(incident, _)| incident.severity).max();
        let any = || self.about.iter().map(|(incident, _)| incident.severity).max();
        highest.or_else(any).unwrap_or(Severity::Info)
    }

    /// In one line.
    pub(super) fn title(&self) -> String {
        let title = self.about.first().map_or("", |(incident, _)| incident.title.as_str());
        match self.about.len() {
            0 | 1 => title.to_owned(),
            n => format!("{title} and {} more", n - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_said_in_its_two_largest_units() {
        let said = |seconds| lasting(Duration::from_secs(seconds));
        assert_eq!(
            [0, 1, 61, 1560, 3600, 5400, 90_000].map(said),
            ["0 seconds", "1 second", "1 minute", "26 minutes", "1 hour", "1 hour 30 minutes", "1 day 1 hour"]
        );
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(cut("añb", 2), "a…");
        assert_eq!(cut("añb", 4), "añb");
    }
}
