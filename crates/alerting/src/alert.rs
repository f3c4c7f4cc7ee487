//! One alert, as it came in.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fingerprint::Fingerprint;
use crate::labels::{Labels, is_unprintable, shown};
use crate::severity::Severity;

/// What else is known of an alert: names and any JSON, for people to read.
pub type Details = serde_json::Map<String, serde_json::Value>;

/// Whether it burns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has begun, or still goes on.
    Firing,
    /// It is over.
    Resolved,
}

impl State {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// What kind of thing it is, such as `db.connections`; Prometheus calls it `alertname`.
    pub kind: String,
    /// How much it matters.
    pub severity: Severity,
    /// In one line.
    pub title: String,
    /// In more words, with lines.
    pub message: String,
    /// What it is about; with `kind` its identity.
    pub labels: Labels,
    /// What else is known.
    pub details: Details,
    /// Whether it burns.
    pub state: State,
    /// When it began.
    pub starts_at: Timestamp,
    /// When it ended, or will have ended if nothing more is heard of it.
    pub ends_at: Option<Timestamp>,
}

/// A field that cannot be used, and why. Permanent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct Invalid {
    /// The field's path, such as `labels.host`.
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

impl Invalid {
    /// A field and what is wrong with it.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl Alert {
    /// The longest type, in bytes.
    pub const LONGEST_KIND: usize = 200;
    /// The longest title, in bytes.
    pub const LONGEST_TITLE: usize = 300;
    /// The longest message, in bytes.
    pub const LONGEST_MESSAGE: usize = 16 * 1024;
    /// How much the details may be, in bytes of JSON.
    pub const MOST_DETAILS: usize = 16 * 1024;
    /// How far another machine's clock may be ahead of ours.
    pub const CLOCK_SKEW: Duration = Duration::from_secs(10 * 60);
    /// How long ago an alert may have begun, and how far ahead it may end.
    pub const LONGEST: Duration = Duration::from_hours(24 * 366 * 10);

    /// Which incident it belongs to.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.kind, &self.labels)
    }

    /// What routes, silences and inhibitions look at: the labels, and `alertname`, `type` (both the type) and `severity`
    /// where no label of that name says otherwise. A severity in another case is the word as we write it.
    #[must_use]
    pub fn subject(&self) -> Labels {
        subject(&self.kind, self.severity, &self.labels)
    }

    /// Everything that is wrong with it, each under the field's name; `now` is the time here.
    ///
    /// # Errors
    /// A list that is not empty.
    pub fn validate(&self, now: Timestamp) -> Result<(), Vec<Invalid>> {
        let mut wrong = Vec::new();
        line(&mut wrong, "type", &self.kind, Self::LONGEST_KIND);
        line(&mut wrong, "title", &self.title, Self::LONGEST_TITLE);
        if self.message.len() > Self::LONGEST_MESSAGE {
            let message = format!("has {} bytes: at most {}", self.message.len(), Self::LONGEST_MESSAGE);
            wrong.push(Invalid::new("message", message));
        }
        if let Some(bad) = self.message.chars().find(|c| is_unprintable(*c) && !matches!(c, '\n' | '\r' | '\t')) {
            wrong.push(Invalid::new("message", format!("has a control character (U+{:04X})", u32::from(bad))));
        }
        let details = serde_json::to_string(&self.details).map_or(usize::MAX, |text| text.len());
        if details > Self::MOST_DETAILS {
            wrong.push(Invalid::new("details", format!("more than {} bytes of JSON", Self::MOST_DETAILS)));
        }
        if let Some(field) = self.details.iter().find_map(|(name, value)| nul("details", name, value)) {
            wrong.push(Invalid::new(field, "has a NUL character (U+0000)"));
        }
        if let Some(name) = self.labels.get("alertname").filter(|name| *name != self.kind) {
            let message = format!("says {}, and the alert's type is {}", shown(name), shown(&self.kind));
            wrong.push(Invalid::new("labels.alertname", message));
        }
        if let Some(said) =
            self.labels.get("severity").and_then(|word| word.to_ascii_lowercase().parse::<Severity>().ok())
            && said != self.severity
        {
            let message = format!("says {said}, and the alert's severity is {}", self.severity);
            wrong.push(Invalid::new("labels.severity", message));
        }
        self.validate_times(now, &mut wrong);
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    fn validate_times(&self, now: Timestamp, wrong: &mut Vec<Invalid>) {
        if self.starts_at > later(now, Self::CLOCK_SKEW) {
            wrong.push(Invalid::new("starts_at", "lies in the future: is the sender's clock right?"));
        }
        if self.starts_at < now.checked_sub(Self::LONGEST).unwrap_or(Timestamp::MIN) {
            wrong.push(Invalid::new("starts_at", "lies more than ten years back"));
        }
        if let Some(ends_at) = self.ends_at {
            if ends_at < self.starts_at {
                wrong.push(Invalid::new("ends_at", "lies before starts_at"));
            }
            if ends_at > later(now, Self::LONGEST) {
                wrong.push(Invalid::new("ends_at", "lies more than ten years ahead"));
            }
            if self.state == State::Resolved && ends_at > later(now, Self::CLOCK_SKEW) {
                wrong.push(Invalid::new("ends_at", "lies in the future, and the alert is resolved"));
            }
        }
    }
}

/// What routes, silences and inhibitions look at, for an incident as well: see [`Alert::subject`].
#[must_use]
pub fn subject(kind: &str, severity: Severity, labels: &Labels) -> Labels {
    let mut subject = labels.clone();
    // `Critical` is our word in another case: matchers need not know how somebody else writes it.
    if labels.get("severity").is_some_and(|word| word.eq_ignore_ascii_case(severity.as_str())) {
        subject.remove("severity");
    }
    subject.derive("alertname", kind);
    subject.derive("type", kind);
    subject.derive("severity", severity.as_str());
    subject
}

/// Where in `value`, which stands under `name` at `path`, there is a NUL, which no database keeps in text.
fn nul(path: &str, name: &str, value: &serde_json::Value) -> Option<String> {
    use serde_json::Value;
    if name.contains('\0') {
        return Some(path.to_owned());
    }
    let path = format!("{path}.{name}");
    match value {
        Value::String(text) => text.contains('\0').then_some(path),
        Value::Array(items) => items.iter().enumerate().find_map(|(n, item)| nul(&path, &n.to_string(), item)),
        Value::Object(fields) => fields.iter().find_map(|(name, value)| nul(&path, name, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn line(wrong: &mut Vec<Invalid>, field: &str, text: &str, longest: usize) {
    if text.trim().is_empty() {
        wrong.push(Invalid::new(field, "must not be empty"));
    } else if text.len() > longest {
        wrong.push(Invalid::new(field, format!("has {} bytes: at most {longest}", text.len())));
    } else if let Some(bad) = text.chars().find(|c| is_unprintable(*c)) {
        wrong.push(Invalid::new(field, format!("has a control character (U+{:04X}): one line", u32::from(bad))));
    }
}

pub(crate) fn later(now: Timestamp, span: Duration) -> Timestamp {
    now.checked_add(span).unwrap_or(Timestamp::MAX)
}
