//! What a caller wants sent, in whichever shape it came, and the check of it.

use std::collections::BTreeMap;

use config::Profile;
use jiff::{SignedDuration, Timestamp};
use job::FieldError;
use mail::message::Header;
use mail::{Attachment, Mailbox};
use serde_json::Value;
use store::{Category, EmailRecipients};
use worker::email_content::{EmailBody, EmailContent};

use super::attachment::{AttachmentBody, attachments};
use super::body::{Words, words};
use crate::error::ApiError;
use crate::state::State;

/// The most recipients of one call, all lists together.
const MOST_RECIPIENTS: usize = 50;
/// The most header fields, and labels.
const MOST_FIELDS: usize = 20;
/// The longest name or value of a label, in bytes.
const LONGEST_TAG: usize = 256;
/// How far ahead `send_at` may be.
const AHEAD: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What a caller wants sent, as it was written.
#[derive(Debug, Default)]
pub(super) struct Order {
    pub from: String,
    pub to: Vec<String>,
    pub cc: Vec<String>,
    pub bcc: Vec<String>,
    pub reply_to: Vec<String>,
    pub words: Words,
    pub locale: Option<String>,
    pub category: Option<String>,
    /// Already read; the name of its field differs between the shapes.
    pub send_at: Option<Timestamp>,
    pub headers: BTreeMap<String, String>,
    pub attachments: Vec<AttachmentBody>,
    pub tags: Vec<(String, String)>,
}

/// The same, checked.
pub(super) struct Checked {
    pub sender: String,
    pub category: Category,
    pub template: Option<String>,
    pub content: EmailContent,
    pub recipients: EmailRecipients,
    /// Each address once, in the order of the lists.
    pub people: Vec<Mailbox>,
    pub locale: Option<String>,
    pub send_at: Option<Timestamp>,
    pub tags: BTreeMap<String, String>,
}

impl Order {
    /// Checks everything, and names every field that is wrong. `send_at` is how this shape calls that field.
    pub(super) fn check(self, state: &State, send_at: &str, now: Timestamp) -> Result<Checked, ApiError> {
        let mut wrong: Vec<FieldError> = Vec::new();
        let sender = sender(state, &self.from).map_err(|why| wrong.push(FieldError::new("from", why))).ok();
        let mut people: Vec<Mailbox> = Vec::new();
        let mut recipients = EmailRecipients::default();
        let lists = [
            ("to", &self.to, &mut recipients.to),
            ("cc", &self.cc, &mut recipients.cc),
            ("bcc", &self.bcc, &mut recipients.bcc),
        ];
        for (field, written, kept) in lists {
            for mailbox in mailboxes(field, written, &mut wrong) {
                kept.push(mailbox.to_string());
                let key = mailbox.address().as_str().to_lowercase();
                let known = |other: &Mailbox| other.address().as_str().to_lowercase() == key;
                if !people.iter().any(known) {
                    people.push(mailbox);
                }
            }
        }
        if self.to.is_empty() {
            wrong.push(FieldError::new("to", "at least one recipient is needed"));
        }
        if people.len() > MOST_RECIPIENTS {
            wrong.push(FieldError::new(
                "to",
                format!("at most {MOST_RECIPIENTS} recipients are allowed, cc and bcc included"),
            ));
        }
        let answers = mailboxes("reply_to", &self.reply_to, &mut wrong);
        if answers.iter().any(|mailbox| !mailbox.address().is_ascii()) {
            let why = "an address in ASCII is expected: not every reader's server can send to another one (SMTPUTF8)";
            wrong.push(FieldError::new("reply_to", why));
        }
        let reply_to: Vec<String> = answers.iter().map(ToString::to_string).collect();
        let category = match (self.category.as_deref(), &sender) {
            (None, Some(sender)) => category_of(sender.class),
            (None, None) => Category::Account,
            (Some(word), _) => word.parse().unwrap_or_else(|_| {
                wrong.push(FieldError::new("category", "booking, account, security, alert or report is expected"));
                Category::Account
            }),
        };
        if self.locale.as_deref().is_some_and(|locale| !is_locale(locale)) {
            wrong.push(FieldError::new("locale", "a language tag such as en, de or es-MX is expected (BCP 47)"));
        }
        let (template, body) = match words(state, self.words, self.locale.as_deref(), &mut wrong)? {
            Some(said) => said,
            None => (None, EmailBody::Template(Value::Null)),
        };
        check_headers(&self.headers, category, &mut wrong);
        let attachments: Vec<Attachment> = attachments(self.attachments, &mut wrong);
        if self.send_at.is_some_and(|at| at.duration_since(now) > AHEAD) {
            wrong.push(FieldError::new(send_at, "at most 30 days ahead are allowed"));
        }
        let tags = tags(self.tags, &mut wrong);
        match sender {
            Some(sender) if wrong.is_empty() => Ok(Checked {
                sender: sender.name.clone(),
                category,
                template,
                content: EmailContent { body, reply_to, headers: self.headers, attachments },
                recipients,
                people,
                locale: self.locale,
                // One in the past is due now.
                send_at: self.send_at.filter(|at| *at > now),
                tags,
            }),
            _ => Err(ApiError::invalid_fields(wrong)),
        }
    }
}

/// The profile that `from` names: by its name, its address, or `Any name <its address>`. What people read beside the
/// address is the profile's.
fn sender<'s>(state: &'s State, from: &str) -> Result<&'s Profile, String> {
    let senders = &state.settings.senders;
    let named = senders.iter().find(|profile| profile.name == from.trim());
    let addressed = || {
        let mailbox: Mailbox = from.parse().ok()?;
        senders.iter().find(|profile| profile.address.eq_ignore_ascii_case(mailbox.address().as_str()))
    };
    named.or_else(addressed).ok_or_else(|| {
        let known: Vec<&str> = senders.iter().map(|profile| profile.address.as_str()).collect();
        match known.is_empty() {
            true => "no sender is configured (mail.domain, mail.senders)".to_owned(),
            false => format!("is not one of the senders: {}", known.join(", ")),
        }
    })
}

fn category_of(class: config::MailClass) -> Category {
    match class {
        config::MailClass::Booking => Category::Booking,
        config::MailClass::Account => Category::Account,
        config::MailClass::Security => Category::Security,
        config::MailClass::Alert => Category::Alert,
        config::MailClass::Report => Category::Report,
    }
}

fn mailboxes(field: &str, written: &[String], wrong: &mut Vec<FieldError>) -> Vec<Mailbox> {
    let mut read = Vec::with_capacity(written.len());
    for (index, text) in written.iter().enumerate().take(MOST_RECIPIENTS + 1) {
        match text.parse() {
            Ok(mailbox) => read.push(mailbox),
            Err(error) => {
                let path = if written.len() == 1 { field.to_owned() } else { format!("{field}[{index}]") };
                wrong.push(FieldError::new(path, format!("{error}")));
            }
        }
    }
    if written.len() > MOST_RECIPIENTS {
        wrong.push(FieldError::new(field, format!("at most {MOST_RECIPIENTS} are allowed")));
    }
    read
}

fn is_locale(text: &str) -> bool {
    let part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    text.len() <= 35 && text.split('-').all(part) && text.starts_with(|c: char| c.is_ascii_alphabetic())
}

/// What a caller may write into the header, beside what the message writes itself.
fn check_headers(headers: &BTreeMap<String, String>, category: Category, wrong: &mut Vec<FieldError>) {
    if headers.len() > MOST_FIELDS {
        wrong.push(FieldError::new("headers", format!("at most {MOST_FIELDS} are allowed")));
    }
    for (name, value) in headers {
        let shown: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
        // What we say of a mail is ours to say. Where unsubscribing is ours to offer, a caller's link would not be kept to.
        let lower = name.to_ascii_lowercase();
        let unsubscribes = category.can_be_unsubscribed() && lower.starts_with("list-unsubscribe");
        let ours = unsubscribes || lower.starts_with("x-postrider-");
        if ours || Header::new(name, value).is_err() {
            let why = "not a header field that can be set here: its name must be free, its value one line of ASCII";
            wrong.push(FieldError::new(format!("headers.{shown}"), why));
        }
    }
}

fn tags(written: Vec<(String, String)>, wrong: &mut Vec<FieldError>) -> BTreeMap<String, String> {
    let fits = |text: &str| (1..=LONGEST_TAG).contains(&text.len()) && !text.chars().any(char::is_control);
    if written.len() > MOST_FIELDS {
        wrong.push(FieldError::new("tags", format!("at most {MOST_FIELDS} are allowed")));
    }
    if !written.iter().all(|(name, value)| fits(name) && fits(value)) {
        wrong.push(FieldError::new("tags", format!("names and values are lines of 1 to {LONGEST_TAG} bytes")));
    }
    written.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::is_locale;

    #[test]
    fn locales_are_language_tags() {
        for good in ["en", "de-AT", "zh-Hant-TW", "es-419"] {
            assert!(is_locale(good), "{good}");
        }
        for bad in ["", "-", "de_AT", "de-", "1a", "a b", &"a-".repeat(30)] {
            assert!(!is_locale(bad), "{bad}");
        }
    }
}
