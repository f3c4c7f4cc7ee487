//! One search, as it is reported, checked.

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::Timestamp;
use job::FieldError;
use serde::Deserialize;
use serde_json::value::RawValue;
use store::{Device, EventId, NewSearch, masked_query, session_key};
use utoipa::ToSchema;

use super::words;
use crate::routes::bookings::is_id;
use crate::state::State;

/// The longest text of a search, in bytes.
const LONGEST_QUERY: usize = 2_000;
/// The longest filters, in bytes of JSON.
const LONGEST_FILTERS: usize = 4_000;
/// The longest referrer, in bytes.
const LONGEST_REFERRER: usize = 2_000;
/// The most results that are counted.
const MOST_RESULTS: u64 = 1_000_000_000;

/// Somebody searched.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchBody<'a> {
    /// Your id of this search, 1 to 128 of A-Z a-z 0-9 . _ ~ -: it is counted once. UUIDs are best.
    #[serde(borrow)]
    #[schema(value_type = String, example = "01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77")]
    id: Cow<'a, str>,
    /// When it took place.
    #[schema(value_type = String, format = DateTime)]
    occurred_at: Timestamp,
    /// The user who searched; none for a guest. Not kept without consent.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, example = "u_1001")]
    user: Option<Cow<'a, str>>,
    /// The session. Not kept without consent.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, example = "s_7f3a")]
    session: Option<Cow<'a, str>>,
    /// What was searched for, as it was typed; empty where somebody only looked around.
    #[serde(borrow)]
    #[schema(value_type = String, example = "piano lessons")]
    query: Cow<'a, str>,
    /// The kind of search: 1 to 32 of a-z 0-9 _ -. `text` unless said otherwise.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, example = "text")]
    kind: Option<Cow<'a, str>>,
    /// What the results were narrowed by: a JSON object of at most 4,000 bytes.
    #[serde(borrow, default)]
    #[schema(value_type = Option<serde_json::Value>, example = json!({"online": true}))]
    filters: Option<&'a RawValue>,
    /// How many results there were.
    #[schema(example = 12)]
    results_count: u64,
    /// `desktop`, `mobile`, `tablet` or `other`; `other` unless said.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, example = "mobile")]
    device: Option<Cow<'a, str>>,
    /// Where the person came from: the address of a web page. What stands before @ and behind ? and # is not kept, without
    /// consent nothing but its scheme and host; what is no such address is not kept at all.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, example = "https://www.example.com/music")]
    referrer: Option<Cow<'a, str>>,
    /// Whether the person agreed that what identifies them is kept. Without it user, session and ip are dropped at once.
    #[serde(default)]
    consent: bool,
    /// The person's network address. Kept as a keyed hash only, whose key changes every day.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, example = "192.0.2.1")]
    ip: Option<Cow<'a, str>>,
}

impl SearchBody<'_> {
    /// The search as it is kept. Errors: the fields that make no sense.
    pub fn check(self, state: &State, now: Timestamp) -> Result<NewSearch, Vec<FieldError>> {
        let mut wrong = Vec::new();
        let mut must = |holds: bool, field: &str, message: &str| {
            if !holds {
                wrong.push(FieldError::new(field, message));
            }
        };
        for (field, id) in [("id", Some(&self.id)), ("user", self.user.as_ref()), ("session", self.session.as_ref())] {
            must(id.is_none_or(|id| is_id(id)), field, "1 to 128 of A-Z a-z 0-9 . _ ~ - are expected");
        }
        must(self.query.len() <= LONGEST_QUERY, "query", "at most 2,000 bytes are expected");
        let kind = self.kind.as_deref().unwrap_or("text");
        must(is_word(kind), "kind", "1 to 32 of a-z 0-9 _ - are expected, a letter first");
        let filters = self.filters.map(RawValue::get).filter(|json| *json != "null");
        let object = filters.is_none_or(|json| json.starts_with('{') && json.len() <= LONGEST_FILTERS);
        must(object, "filters", "a JSON object of at most 4,000 bytes is expected");
        let plain = filters.is_none_or(|json| !json.contains("\\u0000"));
        must(plain, "filters", "a NUL character cannot be kept");
        must(self.results_count <= MOST_RESULTS, "results_count", "0 to 1000000000 is expected");
        let device = self.device.as_deref().map_or(Ok(Device::Other), str::parse);
        must(device.is_ok(), "device", "desktop, mobile, tablet or other is expected");
        let referrer = self.referrer.as_deref();
        let fits = referrer.is_none_or(|url| url.len() <= LONGEST_REFERRER && !url.chars().any(char::is_control));
        must(fits, "referrer", "at most 2,000 bytes without control characters are expected");
        let ip = self.ip.as_deref().map(str::parse::<IpAddr>).transpose();
        must(ip.is_ok(), "ip", "an IPv4 or IPv6 address is expected");
        if let Err(message) = super::span::in_time(self.occurred_at, state.settings.search.late, now) {
            wrong.push(FieldError::new("occurred_at", message));
        }
        let (Ok(device), Ok(ip), true) = (device, ip, wrong.is_empty()) else { return Err(wrong) };

        let consent = self.consent;
        let query = words::typed(&self.query);
        let guest = self.user.is_none();
        let session = self.session.as_deref().filter(|_| consent);
        let subject = self.user.as_deref().filter(|_| consent).or(session);
        let ring = state.secrets.as_deref().filter(|_| consent);
        let network = ring.zip(ip).and_then(|(ring, ip)| state.settings.search.network(ring, &ip.to_string(), now));
        Ok(NewSearch {
            id: EventId::new(&self.id),
            at: job::clock::truncate(self.occurred_at),
            subject: subject.map(str::to_owned),
            session: session.map(session_key),
            guest,
            consent,
            query: if consent { query } else { masked_query(&query).into_owned() },
            kind: kind.to_owned(),
            device,
            results: u32::try_from(self.results_count).unwrap_or(u32::MAX),
            // What somebody filters by may be what they are called.
            filters: filters.filter(|_| consent).map(str::to_owned),
            referrer: referrer.and_then(|url| words::referrer(url, consent)),
            network,
        })
    }
}

/// A word that counts are broken down by.
pub fn is_word(word: &str) -> bool {
    (1..=32).contains(&word.len())
        && word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}
