//! The page behind the link in a message about incidents. It needs no script, and looks right on a phone.

use jiff::{SignedDuration, Timestamp};
use store::{Incident, IncidentState};

use super::template::{escape, fill};

const PAGE: &str = include_str!("acknowledge.html");

/// Incidents that are named.
const NAMED: usize = 10;
/// Bytes of an incident's labels that are shown.
const MOST_LABELS: usize = 300;

/// What the page shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shown<'a> {
    /// What the message told, and the button if something of it is open.
    Ask {
        /// The incidents, open ones first.
        incidents: &'a [Incident],
        /// Whether it is not known who looks.
        asks_name: bool,
        /// The time.
        now: Timestamp,
    },
    /// What it is now.
    Done {
        /// The incidents.
        incidents: &'a [Incident],
        /// The time.
        now: Timestamp,
    },
    /// The link is none of ours.
    Invalid,
    /// It was one.
    Expired,
    /// Something that is needed is away.
    Away,
}

/// The page as HTML.
#[must_use]
pub fn page(shown: &Shown<'_>) -> String {
    let (title, body) = match *shown {
        Shown::Ask { incidents, asks_name, now } => {
            let open = incidents.iter().filter(|incident| incident.state == IncidentState::Open).count();
            let title = match open {
                0 => "Nothing is left to acknowledge".to_owned(),
                1 => "Do you take care of it?".to_owned(),
                n => format!("Do you take care of these {n}?"),
            };
            // The button first: on a phone it is there without scrolling.
            (title, format!("{}{}", if open > 0 { button(asks_name) } else { String::new() }, list(incidents, now)))
        }
        Shown::Done { incidents, now } => {
            let note = "<p class=\"quiet\">It is not repeated, and nobody else is woken. You are told when it is over.</p>";
            ("Acknowledged".to_owned(), format!("{}{note}", list(incidents, now)))
        }
        Shown::Invalid => (
            "This link does not work".to_owned(),
            "<p>It is incomplete, or was not made here.</p><p class=\"quiet\">Open it from the message itself.</p>".to_owned(),
        ),
        Shown::Expired => (
            "This link is too old".to_owned(),
            "<p>Links to acknowledge work for a week.</p><p class=\"quiet\">The newest message about it has one that works.</p>"
                .to_owned(),
        ),
        Shown::Away => (
            "Please try again in a moment".to_owned(),
            "<p class=\"quiet\">Nothing was changed: something that we need is away just now.</p>".to_owned(),
        ),
    };
    fill(PAGE, &[("title", &title), ("body", &body)])
}

fn button(asks_name: bool) -> String {
    let name = match asks_name {
        true => "<label>Your name<input name=\"name\" maxlength=\"80\" autocomplete=\"name\"></label>",
        false => "",
    };
    format!(
        "<form method=\"post\">{name}<button>Acknowledge</button></form>\
         <p class=\"quiet\">Then it is not repeated, and nobody else is woken.</p>"
    )
}

fn list(incidents: &[Incident], now: Timestamp) -> String {
    let items: String = incidents.iter().take(NAMED).map(|incident| item(incident, now)).collect();
    let more = incidents.len().saturating_sub(NAMED);
    let more = if more > 0 { format!("<p class=\"quiet\">and {more} more</p>") } else { String::new() };
    format!("<ul>{items}</ul>{more}")
}

fn item(incident: &Incident, now: Timestamp) -> String {
    let (word, class) = match incident.state {
        IncidentState::Resolved => ("over", "over"),
        IncidentState::Open | IncidentState::Acknowledged => (incident.severity.as_str(), incident.severity.as_str()),
    };
    let taken = match (&incident.state, &incident.acknowledged_by) {
        (IncidentState::Acknowledged, Some(by)) => format!(" · taken on by {}", escape(by)),
        _ => String::new(),
    };
    let labels: Vec<String> = incident.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!(
        "<li><span class=\"{class}\">{word}</span> <strong>{}</strong><small>{}<br>since {}{taken}</small></li>",
        escape(&incident.title),
        escape(&cut(&labels.join(", "))),
        since(now.duration_since(incident.starts_at)),
    )
}

/// What is too long for a phone ends in dots.
fn cut(text: &str) -> String {
    match text.len() > MOST_LABELS {
        true => format!("{}…", &text[..text.floor_char_boundary(MOST_LABELS)]),
        false => text.to_owned(),
    }
}

/// How long it lasts.
fn since(span: SignedDuration) -> String {
    match span.as_secs() {
        ..60 => "a moment ago".to_owned(),
        seconds @ ..3600 => format!("{} min", seconds / 60),
        seconds @ ..86_400 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}
