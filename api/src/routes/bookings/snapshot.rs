//! What a caller reports of a booking, and the checks that make a [`Snapshot`] of it.
//!
//! Everything that ends in a mail or a file name is bounded and free of control characters here, at the edge: CR and LF
//! are how headers are injected, NUL is what a database refuses. All fields that are wrong are named at once.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use job::FieldError;
use mail::{EmailAddress, Mailbox};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use store::{CancelledBy, Party, Price, Snapshot};
use utoipa::ToSchema;

use super::text::{Checks, is_id};
use crate::object::Object;

/// The largest version: what every JSON reader holds exactly, 2⁵³−1 (RFC 8259 §6).
const LARGEST_VERSION: i64 = (1 << 53) - 1;
/// The longest booking in minutes: a week.
const LONGEST: u32 = 7 * 24 * 60;
/// The most reminders, and how long before the start one may be.
const REMINDERS: (usize, Duration) = (10, Duration::from_secs(366 * 86_400));

/// A booking as it is after the event.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BookingBody {
    /// Rises with every event of the booking, 1 to 2⁵³−1. A lower one than was seen is superseded and mails nobody.
    #[schema(minimum = 1, example = 1)]
    version: i64,
    /// What was booked.
    #[schema(max_length = 200, example = "Conversation practice, Spanish B1")]
    service: String,
    /// When it starts, RFC 3339.
    #[serde(deserialize_with = "crate::rfc3339::deserialize")]
    #[schema(value_type = String, format = DateTime, example = "2026-12-01T17:00:00Z")]
    starts_at: Timestamp,
    /// How long it takes, 1 to 10,080.
    #[schema(minimum = 1, maximum = 10080, example = 60)]
    duration_minutes: u32,
    /// Where it takes place, if somewhere.
    #[serde(default)]
    #[schema(max_length = 500)]
    location: Option<String>,
    /// Where it takes place online, http or https.
    #[serde(default)]
    #[schema(max_length = 2000, example = "https://meet.example.com/b/1001")]
    url: Option<String>,
    /// What it costs.
    #[serde(default)]
    #[schema(value_type = Option<PriceBody>)]
    price: Option<Object<PriceBody>>,
    /// Who learns.
    #[schema(value_type = PartyBody)]
    student: Object<PartyBody>,
    /// Who teaches.
    #[schema(value_type = PartyBody)]
    instructor: Object<PartyBody>,
    /// Why, in the words of whoever changed it.
    #[serde(default)]
    #[schema(max_length = 1000)]
    reason: Option<String>,
    /// Who called it off: student, instructor or platform.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    cancelled_by: Option<CancelledBy>,
    /// How long before the start to remind, such as `"24h"`.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, example = json!(["24h", "1h"]))]
    reminders: Option<Vec<Offset>>,
}

/// A price.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceBody {
    /// A decimal number as text.
    #[schema(pattern = r"^[0-9]{1,12}(\.[0-9]{1,4})?$", example = "45.00")]
    amount: String,
    /// Three capital letters (ISO 4217).
    #[schema(pattern = "^[A-Z]{3}$", example = "USD")]
    currency: String,
}

/// A person of the booking.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartyBody {
    /// The person's id at the caller's.
    #[schema(pattern = "^[A-Za-z0-9._~-]{1,128}$", example = "st_204")]
    id: String,
    /// The name, as it is to stand in mails.
    #[schema(max_length = 256, example = "Zoë Lindström")]
    name: String,
    /// The e-mail address.
    #[schema(example = "zoe.lindstrom@example.com")]
    email: String,
    /// The time zone that times are shown in, an IANA name.
    #[schema(example = "Europe/Stockholm")]
    timezone: String,
    /// The language, a BCP 47 tag.
    #[serde(default)]
    #[schema(example = "sv-SE")]
    locale: Option<String>,
}

/// A duration that keeps the form in which it was given.
#[derive(Debug)]
enum Offset {
    Seconds(u64),
    Text(String),
}

impl<'de> Deserialize<'de> for Offset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl Visitor<'_> for Written {
            type Value = Offset;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration (seconds, or a text such as \"24h\")")
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Offset, E> {
                Ok(Offset::Seconds(seconds))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Offset, E> {
                Ok(Offset::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Written)
    }
}

impl BookingBody {
    /// The version as sent, unchecked.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// The version and the snapshot. Errors: every field that is wrong, under `booking.`.
    pub fn check(self) -> Result<(i64, Snapshot), Vec<FieldError>> {
        let mut checks = Checks::under("booking");
        if !(1..=LARGEST_VERSION).contains(&self.version) {
            checks.wrong("version", format!("1 to {LARGEST_VERSION} is expected"));
        }
        checks.line("service", &self.service, 200);
        if !(1..=LONGEST).contains(&self.duration_minutes) {
            checks.wrong("duration_minutes", format!("1 to {LONGEST} is expected"));
        }
        let year = self.starts_at.to_zoned(TimeZone::UTC).year();
        if !(1970..=9998).contains(&year) {
            checks.wrong("starts_at", "a time from 1970 to 9998 is expected");
        }
        checks.line_if("location", self.location.as_deref(), 500);
        checks.url_if("url", self.url.as_deref());
        checks.text_if("reason", self.reason.as_deref(), 1_000);
        if let Some(Object(price)) = &self.price {
            checks.price("price", &price.amount, &price.currency);
        }
        let reminders = self.reminders.map(|given| reminders(given, &mut checks));
        let student = self.student.0.check("student", &mut checks);
        let instructor = self.instructor.0.check("instructor", &mut checks);
        let (Some(student), Some(instructor), []) = (student, instructor, checks.found()) else {
            return Err(checks.into_found());
        };
        let snapshot = Snapshot {
            service: self.service,
            starts_at: job::clock::truncate(self.starts_at),
            duration_minutes: self.duration_minutes,
            location: self.location,
            url: self.url,
            price: self.price.map(|Object(price)| Price { amount: price.amount, currency: price.currency }),
            student,
            instructor,
            reason: self.reason,
            cancelled_by: self.cancelled_by,
            reminders,
        };
        Ok((self.version, snapshot))
    }
}

impl PartyBody {
    fn check(self, role: &str, checks: &mut Checks) -> Option<Party> {
        let field = |name: &str| format!("{role}.{name}");
        if !is_id(&self.id) {
            checks.wrong(field("id"), "1 to 128 of A-Z a-z 0-9 . _ ~ - are expected");
        }
        checks.line(field("name"), &self.name, 256);
        if !mail::when::is_zone(&self.timezone) {
            checks.wrong(field("timezone"), "an IANA name such as Europe/Stockholm is expected");
        }
        if self.locale.as_deref().is_some_and(|locale| !is_language_tag(locale)) {
            checks.wrong(field("locale"), "a BCP 47 tag such as en-GB is expected");
        }
        let address = match EmailAddress::parse(&self.email) {
            Ok(address) => address,
            Err(error) => {
                checks.wrong(field("email"), error.to_string());
                return None;
            }
        };
        // What a header can carry is the mail crate's to say: it will have to write this one.
        if let Err(error) = Mailbox::new(Some(&self.name), address.clone())
            && !checks.has(&field("name"))
        {
            checks.wrong(field("name"), error.to_string());
        }
        Some(Party {
            id: self.id,
            name: self.name.trim().to_owned(),
            email: address.as_str().to_owned(),
            timezone: self.timezone,
            locale: self.locale,
        })
    }
}

fn reminders(given: Vec<Offset>, checks: &mut Checks) -> Vec<String> {
    let (most, longest) = REMINDERS;
    if given.len() > most {
        checks.wrong("reminders", format!("at most {most} are allowed"));
        return Vec::new();
    }
    let mut seen = Vec::new();
    let mut kept = Vec::new();
    for (i, offset) in given.into_iter().enumerate() {
        let text = match offset {
            Offset::Seconds(n) => format!("{n}s"),
            Offset::Text(text) => text,
        };
        let field = format!("reminders[{i}]");
        match job::duration::parse(&text) {
            Err(error) => checks.wrong(field, error.to_string()),
            Ok(d) if d < Duration::from_secs(60) || d > longest => {
                checks.wrong(field, format!("1m to {} is expected", job::duration::format(longest)));
            }
            Ok(d) if d.subsec_nanos() != 0 => checks.wrong(field, "whole seconds are expected"),
            Ok(d) if seen.contains(&d) => checks.wrong(field, "given twice"),
            Ok(d) => {
                seen.push(d);
                kept.push(text.trim().to_owned());
            }
        }
    }
    kept
}

/// The outer shape of a language tag (RFC 5646 §2.1): subtags of 1 to 8 letters and digits, 35 characters in all (§4.4.1).
fn is_language_tag(tag: &str) -> bool {
    let subtag = |s: &str| (1..=8).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric());
    let first = tag.split('-').next().unwrap_or("");
    tag.len() <= 35
        && (2..=8).contains(&first.len())
        && first.bytes().all(|b| b.is_ascii_alphabetic())
        && tag.split('-').all(subtag)
}
