//! Resend's request, read into an [`Order`].

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::routes::emails::attachment::AttachmentBody;
use crate::routes::emails::body::Words;
use crate::routes::emails::create::OneOrMany;
use crate::routes::emails::order::Order;

/// A mail in Resend's shape.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResendEmail {
    /// A sender of this installation: `address` or `Name <address>`.
    #[schema(example = "Hello <hello@example.com>")]
    from: Option<String>,
    /// Who it goes to.
    #[serde(default)]
    to: OneOrMany,
    #[serde(default)]
    cc: OneOrMany,
    #[serde(default)]
    bcc: OneOrMany,
    /// Where answers go.
    #[serde(default)]
    reply_to: OneOrMany,
    /// One line.
    subject: Option<String>,
    /// The HTML part.
    html: Option<String>,
    /// The plain text part; made from `html` unless given.
    text: Option<String>,
    /// One of our templates, by its name.
    template: Option<ResendTemplate>,
    /// An instant (RFC 3339), or `in 10 minutes`; at most 30 days ahead.
    scheduled_at: Option<String>,
    /// Further header fields.
    headers: Option<BTreeMap<String, String>>,
    /// Files; `path` is not possible.
    attachments: Option<Vec<AttachmentBody>>,
    /// Labels.
    tags: Option<Vec<ResendTag>>,
    /// Not possible.
    topic_id: Option<Value>,
    /// Taken, and without effect.
    #[serde(rename = "region")]
    _region: Option<String>,
}

/// One of our templates.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResendTemplate {
    /// Its name.
    id: String,
    /// What it is filled with.
    #[schema(value_type = Option<Object>)]
    variables: Option<Value>,
}

/// A label.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResendTag {
    name: String,
    value: String,
}

impl ResendEmail {
    /// The order.
    pub(super) fn order(self, now: Timestamp) -> Result<Order, ApiError> {
        if self.topic_id.is_some_and(|id| !id.is_null()) {
            return Err(ApiError::invalid("topic_id", "there are no topics here; leave it out"));
        }
        let send_at = match self.scheduled_at.as_deref() {
            None => None,
            Some(text) => Some(instant(text, now).ok_or_else(|| {
                ApiError::invalid("scheduled_at", "an instant (RFC 3339) or a text such as `in 10 minutes` is expected")
            })?),
        };
        let (template, data) = match self.template {
            Some(template) => (Some(template.id), template.variables),
            None => (None, None),
        };
        let names = Some(("template.id", "template.variables"));
        Ok(Order {
            from: self.from.unwrap_or_default(),
            to: self.to.0,
            cc: self.cc.0,
            bcc: self.bcc.0,
            reply_to: self.reply_to.0,
            words: Words { template, data, names, subject: self.subject, text: self.text, html: self.html },
            locale: None,
            category: None,
            send_at,
            headers: self.headers.unwrap_or_default(),
            attachments: self.attachments.unwrap_or_default(),
            tags: self.tags.unwrap_or_default().into_iter().map(|tag| (tag.name, tag.value)).collect(),
        })
    }
}

/// An instant, or so many minutes, hours or days from now.
fn instant(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    let (number, unit) = text.trim().strip_prefix("in ")?.trim().split_once(' ')?;
    let number: i64 = match number {
        "a" | "an" => 1,
        number => number.parse().ok().filter(|n| (0..=100_000).contains(n))?,
    };
    let unit = match unit.trim().trim_end_matches('s') {
        "second" | "sec" => 1,
        "minute" | "min" => 60,
        "hour" | "hr" | "h" => 3_600,
        "day" => 86_400,
        "week" => 604_800,
        _ => return None,
    };
    now.checked_add(SignedDuration::from_secs(number * unit)).ok()
}

#[cfg(test)]
mod tests {
    use super::instant;

    #[test]
    fn instants_are_told_as_resend_tells_them() {
        let now = "2026-11-25T10:00:00Z".parse().unwrap();
        let told = |text: &str| instant(text, now).map(|at| at.to_string());
        assert_eq!(told("2026-11-26T10:00:00+01:00").as_deref(), Some("2026-11-26T09:00:00Z"));
        assert_eq!(told("in 1 min").as_deref(), Some("2026-11-25T10:01:00Z"));
        assert_eq!(told("in an hour").as_deref(), Some("2026-11-25T11:00:00Z"));
        assert_eq!(told("in 2 days").as_deref(), Some("2026-11-27T10:00:00Z"));
        for bad in ["", "tomorrow", "in", "in x min", "in 5 parsecs", "in 99999999 days"] {
            assert_eq!(told(bad), None, "{bad}");
        }
    }
}
