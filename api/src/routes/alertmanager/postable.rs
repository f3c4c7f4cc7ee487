//! An alert as Prometheus sends it, and what it is here.
//!
//! | theirs | here |
//! |---|---|
//! | label `alertname` | the type; without it `alert` |
//! | label `severity` | the severity: `info`, `warning` or `critical`; every other word, and none, is a warning |
//! | annotation `summary` (or `title`) | the title; without it the type |
//! | annotation `description` (or `message`) | the message |
//! | other annotations, `generatorURL` | details |
//! | `endsAt` in the past | resolved |
//!
//! Labels are identity, so one that cannot be used is refused by name; only characters of a name that Prometheus allows and
//! we do not become `_`. Annotations are words, so they are cut and cleaned: an alert must not be lost over a long text.

use std::collections::BTreeMap;

use alerting::{Alert, Details, Invalid, LabelError, Labels, Severity, State};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

/// The most details, and the longest of one, in bytes.
const MOST_DETAILS: usize = 8 * 1024;
const LONGEST_DETAIL: usize = 2 * 1024;
/// The longest link back, in bytes.
const LONGEST_LINK: usize = 2 * 1024;

/// An alert in Alertmanager's shape.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertmanagerPostableAlert {
    /// What it is about; `alertname` is its type.
    pub labels: BTreeMap<String, String>,
    /// Words for people.
    #[serde(default)]
    pub annotations: Option<BTreeMap<String, String>>,
    /// When it began; now unless said.
    #[schema(format = DateTime)]
    #[serde(default)]
    pub starts_at: Option<String>,
    /// When it ended, or will have ended if nothing more is heard of it.
    #[schema(format = DateTime)]
    #[serde(default)]
    pub ends_at: Option<String>,
    /// Where it comes from.
    #[serde(rename = "generatorURL", default)]
    pub generator_url: Option<String>,
}

impl AlertmanagerPostableAlert {
    /// As an alert of ours, checked.
    ///
    /// # Errors
    /// Everything that is wrong with it, under the names of their fields.
    pub fn read(self, now: Timestamp) -> Result<Alert, Vec<Invalid>> {
        let one = |invalid: Invalid| vec![invalid];
        let mut labels = labels(self.labels).map_err(one)?;
        let kind = labels.remove("alertname").unwrap_or_else(|| "alert".to_owned());
        let severity = Severity::of_label(labels.get("severity").unwrap_or_default());
        let ends_at = instant("endsAt", self.ends_at.as_deref()).map_err(one)?;
        let starts_at = instant("startsAt", self.starts_at.as_deref()).map_err(one)?;
        let starts_at = starts_at.unwrap_or_else(|| ends_at.map_or(now, |end| end.min(now)));
        let state = if ends_at.is_some_and(|end| end <= now) { State::Resolved } else { State::Firing };
        let mut words = self.annotations.unwrap_or_default();
        let mut take = |names: [&str; 2]| {
            let found = names.into_iter().find(|name| words.get(*name).is_some_and(|text| !text.trim().is_empty()));
            found.and_then(|name| words.remove(name))
        };
        let title = take(["summary", "title"]).map(|text| cut(&one_line(&text), Alert::LONGEST_TITLE));
        let message = take(["description", "message"]).map(|text| cut(&lines(&text), Alert::LONGEST_MESSAGE));
        let alert = Alert {
            title: title.filter(|title| !title.is_empty()).unwrap_or_else(|| cut(&kind, Alert::LONGEST_TITLE)),
            message: message.unwrap_or_default(),
            details: details(words, self.generator_url.as_deref()),
            kind,
            severity,
            labels,
            state,
            starts_at,
            // So far ahead stands for never.
            ends_at: ends_at.map(|end| end.min(now.checked_add(Alert::LONGEST).unwrap_or(Timestamp::MAX))),
        };
        match alert.validate(now) {
            Ok(()) => Ok(alert),
            Err(wrong) => Err(wrong.into_iter().map(|w| Invalid { field: theirs(&w.field), ..w }).collect()),
        }
    }
}

fn theirs(field: &str) -> String {
    match field {
        "type" => "labels.alertname".to_owned(),
        "starts_at" => "startsAt".to_owned(),
        "ends_at" => "endsAt".to_owned(),
        other => other.to_owned(),
    }
}

fn labels(given: BTreeMap<String, String>) -> Result<Labels, Invalid> {
    let mut labels = Labels::new();
    for (name, value) in given {
        let name: String = name
            .chars()
            .map(|c| if c.is_control() || c.is_ascii_alphanumeric() || c == '_' { c } else { '_' })
            .collect();
        labels.insert(name, value).map_err(|error: LabelError| match error.label() {
            Some(label) => Invalid::new(format!("labels.{label}"), error.to_string()),
            None => Invalid::new("labels", error.to_string()),
        })?;
    }
    match labels.is_empty() {
        true => Err(Invalid::new("labels", "at least one label is needed")),
        false => Ok(labels),
    }
}

/// A time; Go's zero time, and what is before our own epoch, is none.
fn instant(field: &str, text: Option<&str>) -> Result<Option<Timestamp>, Invalid> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let at: Timestamp = text.parse().map_err(|_| Invalid::new(field, "a time as in RFC 3339 is expected"))?;
    Ok((at > Timestamp::UNIX_EPOCH).then_some(at))
}

fn details(words: BTreeMap<String, String>, generator_url: Option<&str>) -> Details {
    let mut details = Details::new();
    // A link that people click must be one.
    let link = generator_url.filter(|url| {
        (url.starts_with("https://") || url.starts_with("http://"))
            && url.len() <= LONGEST_LINK
            && url.bytes().all(|b| b.is_ascii_graphic())
    });
    if let Some(link) = link {
        details.insert("generator_url".to_owned(), link.into());
    }
    let mut room = MOST_DETAILS;
    for (name, text) in words {
        let (name, text) = (cut(&one_line(&name), 100), cut(&lines(&text), LONGEST_DETAIL));
        let needs = name.len() + text.len();
        if needs <= room && !text.trim().is_empty() {
            room -= needs;
            details.entry(name).or_insert(text.into());
        }
    }
    details
}

/// Everything that is no plain character of a line is a blank; blanks are single.
fn one_line(text: &str) -> String {
    lines(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Line ends and tabs stay; other control characters, and marks that turn text around, are blanks.
fn lines(text: &str) -> String {
    let plain = |c: char| match c {
        '\n' | '\t' => c,
        c if c.is_control() => ' ',
        '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => ' ',
        c => c,
    };
    text.replace("\r\n", "\n").chars().map(plain).collect()
}

/// At most `longest` bytes, with dots where something is missing.
fn cut(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(longest - '…'.len_utf8());
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn now() -> Timestamp {
        "2026-05-01T12:00:00Z".parse().unwrap()
    }

    fn read(value: Value) -> Result<Alert, Vec<String>> {
        let alert: AlertmanagerPostableAlert = serde_json::from_value(value).unwrap();
        alert.read(now()).map_err(|wrong| wrong.into_iter().map(|w| w.field).collect())
    }

    #[test]
    fn an_alert_of_prometheus_is_understood() {
        let alert = read(json!({
            "labels": {"alertname": "HighLatency", "severity": "critical", "instance": "api:9090", "empty": ""},
            "annotations": {"summary": "p99 above\n 2 s", "description": "It is 3.1 s.\r\nSee the graph.", "runbook": "x"},
            "startsAt": "2026-05-01T11:58:00.123456789Z",
            "endsAt": "2026-05-01T12:04:00Z",
            "generatorURL": "http://prometheus.test/graph?g0.expr=up",
            "unknown": 1
        }))
        .unwrap();
        assert_eq!(
            (alert.kind.as_str(), alert.severity, alert.state),
            ("HighLatency", Severity::Critical, State::Firing)
        );
        assert_eq!(alert.title, "p99 above 2 s");
        assert_eq!(alert.message, "It is 3.1 s.\nSee the graph.");
        assert_eq!(alert.labels.to_string(), "instance=\"api:9090\" severity=\"critical\"");
        let details = json!({"generator_url": "http://prometheus.test/graph?g0.expr=up", "runbook": "x"});
        assert_eq!(Value::Object(alert.details), details);
        assert_eq!(alert.ends_at.unwrap().to_string(), "2026-05-01T12:04:00Z");
    }

    #[test]
    fn the_least_is_enough_and_the_past_is_over() {
        let least = read(json!({"labels": {"a": "b"}})).unwrap();
        assert_eq!((least.kind.as_str(), least.title.as_str(), least.starts_at), ("alert", "alert", now()));
        assert_eq!((least.severity, least.ends_at), (Severity::Warning, None));
        let zero =
            json!({"labels": {"alertname": "a"}, "startsAt": "0001-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z"});
        assert_eq!(read(zero).unwrap().ends_at, None);
        let over =
            json!({"labels": {"alertname": "a"}, "startsAt": "2026-05-01T11:00:00Z", "endsAt": "2026-05-01T12:00:00Z"});
        assert_eq!(read(over).unwrap().state, State::Resolved);
        let only_end = read(json!({"labels": {"alertname": "a"}, "endsAt": "2026-05-01T11:00:00Z"})).unwrap();
        assert_eq!((only_end.state, only_end.starts_at), (State::Resolved, only_end.ends_at.unwrap()));
        let never = read(json!({"labels": {"alertname": "a"}, "endsAt": "9999-01-01T00:00:00Z"})).unwrap();
        assert_eq!(never.state, State::Firing);
    }

    #[test]
    fn words_are_cut_and_cleaned_and_identity_is_refused() {
        let long = read(json!({
            "labels": {"alertname": "a", "my.label": "x"},
            "annotations": {"summary": "ä".repeat(1_000_000), "description": "\u{1b}[31m<script>\u{202E}", "big": "y".repeat(1_000_000)},
            "generatorURL": "javascript:alert(1)"
        }))
        .unwrap();
        assert!(long.title.len() <= Alert::LONGEST_TITLE && long.title.ends_with('…'));
        assert_eq!(long.message, " [31m<script> ");
        assert_eq!(long.labels.get("my_label"), Some("x"));
        assert_eq!(long.details.keys().collect::<Vec<_>>(), ["big"], "a link that is none is left out");
        for (labels, field) in [
            (json!({}), "labels"),
            (json!({"alertname": ""}), "labels"),
            (json!({"alertname": "a\r\nBcc: x"}), "labels.alertname"),
            (json!({"alertname": "a", "host": "a\nb"}), "labels.host"),
            (json!({"alertname": "a", "host": "x".repeat(2_000)}), "labels.host"),
            (json!({"alertname": "a", "h\r\nost": "x"}), "labels"),
            (json!({"alertname": "a".repeat(201)}), "labels.alertname"),
        ] {
            assert_eq!(read(json!({"labels": labels})), Err(vec![field.to_owned()]));
        }
        let many: serde_json::Map<String, Value> = (0..10_000).map(|i| (format!("l{i}"), "x".into())).collect();
        assert_eq!(read(json!({"labels": many})), Err(vec!["labels".to_owned()]));
        let ahead = json!({"labels": {"alertname": "a"}, "startsAt": "2027-05-01T12:00:00Z"});
        assert_eq!(read(ahead), Err(vec!["startsAt".to_owned()]));
        let backwards =
            json!({"labels": {"alertname": "a"}, "startsAt": "2026-05-01T11:00:00Z", "endsAt": "2026-05-01T10:00:00Z"});
        assert_eq!(read(backwards), Err(vec!["endsAt".to_owned()]));
        assert_eq!(read(json!({"labels": {"a": "b"}, "endsAt": "tomorrow"})), Err(vec!["endsAt".to_owned()]));
    }
}
