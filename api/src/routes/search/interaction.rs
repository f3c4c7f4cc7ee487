//! What somebody did with what a search found, as it is reported, checked.

use std::borrow::Cow;

use jiff::Timestamp;
use job::FieldError;
use serde::Deserialize;
use store::{EventId, NewInteraction};
use utoipa::ToSchema;

use crate::routes::bookings::is_id;
use crate::state::State;

/// The furthest place in a list.
const LAST_POSITION: u32 = 1_000_000;
/// The longest time to an interaction, in seconds: 30 days.
const LONGEST: f64 = 30.0 * 86_400.0;

/// Somebody did something with what a search found.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InteractionBody<'a> {
    /// Your id of this interaction, 1 to 128 of A-Z a-z 0-9 . _ ~ -: it is counted once. UUIDs are best.
    #[serde(borrow)]
    #[schema(value_type = String, example = "01983b5c-8a10-7c00-8d2e-52f1c1a2b3c4")]
    id: Cow<'a, str>,
    /// The search. It may come later.
    #[serde(borrow)]
    #[schema(value_type = String, example = "01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77")]
    search_id: Cow<'a, str>,
    /// When it took place.
    #[schema(value_type = String, format = DateTime)]
    occurred_at: Timestamp,
    /// `view`, `click`, `hover`, `bookmark`, `contact` or `book`.
    #[serde(borrow)]
    #[schema(value_type = String, example = "click")]
    kind: Cow<'a, str>,
    /// With what: your id of it, 1 to 128 of A-Z a-z 0-9 . _ ~ -.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, example = "tutor_17")]
    item: Option<Cow<'a, str>>,
    /// Its place in the list, from 1.
    #[serde(default)]
    #[schema(example = 3)]
    position: Option<u32>,
    /// Seconds from the search to this, as you measured them. Without them the difference of the two times counts.
    #[serde(default)]
    #[schema(example = 4.2)]
    seconds: Option<f64>,
}

impl InteractionBody<'_> {
    /// The interaction as it is kept. Errors: the fields that make no sense.
    pub fn check(self, state: &State, now: Timestamp) -> Result<NewInteraction, Vec<FieldError>> {
        let mut wrong = Vec::new();
        let mut must = |holds: bool, field: &str, message: &str| {
            if !holds {
                wrong.push(FieldError::new(field, message));
            }
        };
        for (field, id) in [("id", Some(&self.id)), ("search_id", Some(&self.search_id)), ("item", self.item.as_ref())]
        {
            must(id.is_none_or(|id| is_id(id)), field, "1 to 128 of A-Z a-z 0-9 . _ ~ - are expected");
        }
        let kind = self.kind.parse();
        must(kind.is_ok(), "kind", "view, click, hover, bookmark, contact or book is expected");
        let place = self.position.is_none_or(|place| (1..=LAST_POSITION).contains(&place));
        must(place, "position", "1 to 1000000 is expected");
        let measured = self.seconds.is_none_or(|seconds| (0.0..=LONGEST).contains(&seconds));
        must(measured, "seconds", "0 to 2592000 seconds are expected");
        if let Err(message) = super::span::in_time(self.occurred_at, state.settings.search.late, now) {
            wrong.push(FieldError::new("occurred_at", message));
        }
        let (Ok(kind), true) = (kind, wrong.is_empty()) else { return Err(wrong) };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 30 days, as checked above")]
        let after_ms = self.seconds.map(|seconds| (seconds * 1000.0).round() as u32);
        Ok(NewInteraction {
            id: EventId::new(&self.id),
            at: job::clock::truncate(self.occurred_at),
            search: EventId::new(&self.search_id).key,
            kind,
            item: self.item.map(Cow::into_owned),
            position: self.position,
            after_ms,
        })
    }
}
