//! `POST /v1/search/events`: up to 1,000 searches and interactions in one call.
//!
//! 1. The good case reads the whole body once, straight into events. If that fails it is read again, event by event, so that
//!    one bad event does not cost its neighbours.
//! 2. Each event is checked for itself. What identifies somebody without their consent is dropped here, and an address
//!    becomes a keyed hash: neither reaches the queue.
//! 3. Those that pass are one job, `search.ingest`. Until it is done only the queue holds them.

use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use jiff::Timestamp;
use job::{Envelope, FieldError, Job, JobId};
use queue::Enqueue;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use worker::jobs::search_ingest::SearchIngest;

use super::interaction::InteractionBody;
use super::reported::SearchBody;
use crate::auth::{Caller, SearchWrite};
use crate::body::{BatchText, parse};
use crate::enqueue::enqueue_one;
use crate::error::{ApiError, Problem};
use crate::object::Object;
use crate::state::State;
use crate::trace_context::TraceParent;

/// Searches, and what was done with what they found: 1 to 1,000 together.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsBody<'a> {
    /// Searches.
    #[serde(borrow, default)]
    #[schema(value_type = Vec<SearchBody>)]
    searches: Vec<Object<SearchBody<'a>>>,
    /// What was done with what these, or earlier searches found.
    #[serde(borrow, default)]
    #[schema(value_type = Vec<InteractionBody>)]
    interactions: Vec<Object<InteractionBody<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Items<'a> {
    #[serde(borrow, default)]
    searches: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    interactions: Vec<&'a RawValue>,
}

/// What became of the events.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventsAccepted {
    /// The job that writes them. Soon after it is done it is no longer kept.
    #[schema(value_type = String, format = Uuid)]
    id: JobId,
    /// How many events were accepted.
    accepted: usize,
    /// Those that were refused; the others were not.
    refused: Vec<Refused>,
}

/// An event that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub struct Refused {
    /// Which: `searches[3]`.
    #[schema(example = "searches[3]")]
    event: String,
    /// Why.
    problem: Problem,
}

/// The events that pass, and those that do not.
#[derive(Default)]
struct Sifted {
    searches: Vec<store::NewSearch>,
    interactions: Vec<store::NewInteraction>,
    refused: Vec<(String, ApiError)>,
}

impl Sifted {
    fn search(&mut self, n: usize, event: Result<store::NewSearch, ApiError>) {
        match event {
            Ok(event) => self.searches.push(event),
            Err(error) => self.refuse("searches", n, error),
        }
    }

    fn interaction(&mut self, n: usize, event: Result<store::NewInteraction, ApiError>) {
        match event {
            Ok(event) => self.interactions.push(event),
            Err(error) => self.refuse("interactions", n, error),
        }
    }

    fn refuse(&mut self, list: &str, n: usize, error: ApiError) {
        let event = format!("{list}[{n}]");
        self.refused.push((event.clone(), error.within(&event)));
    }
}

/// Report searches, and what was done with what they found
///
/// Up to 1,000 events, 8 MiB. Each is accepted or refused for itself, and counted once however often it is sent: by its id
/// and time. An interaction may come before its search. 202: they are on their way; counts follow within minutes.
#[utoipa::path(
    post, path = "/v1/search/events", tag = "search", operation_id = "createSearchEvents", request_body = EventsBody,
    responses(
        (status = 202, description = "Those that passed are on their way; the others are named", body = EventsAccepted),
        (status = 413, description = "More than 8 MiB", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "No event, more than 1,000, or none that makes sense", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create(
    Shared(state): Shared<State>,
    _: Caller<SearchWrite>,
    TraceParent(trace): TraceParent,
    BatchText(text): BatchText,
) -> Result<(StatusCode, Json<EventsAccepted>), ApiError> {
    let now = state.clock.now();
    let sifted = sift(&text, &state, now)?;
    let accepted = sifted.searches.len() + sifted.interactions.len();
    if accepted == 0 {
        let first = sifted.refused.into_iter().next();
        return Err(first.map_or_else(|| ApiError::internal("no event was read"), |(_, error)| error));
    }
    let job = SearchIngest { received_at: now, searches: sifted.searches, interactions: sifted.interactions };
    let id = state.new_id(&SearchIngest::queue());
    let envelope = Envelope::of(&job, id, now).map_err(ApiError::internal)?;
    enqueue_one(&state, Enqueue::from(Envelope { trace_parent: trace, ..envelope })).await?;
    let refused =
        sifted.refused.into_iter().map(|(event, error)| Refused { event, problem: error.problem() }).collect();
    Ok((StatusCode::ACCEPTED, Json(EventsAccepted { id, accepted, refused })))
}

fn sift(text: &str, state: &State, now: Timestamp) -> Result<Sifted, ApiError> {
    let search = |body: SearchBody<'_>| body.check(state, now).map_err(ApiError::invalid_fields);
    let interaction = |body: InteractionBody<'_>| body.check(state, now).map_err(ApiError::invalid_fields);
    let mut sifted = Sifted::default();
    if let Ok(Object(all)) = serde_json::from_str::<Object<EventsBody<'_>>>(text) {
        check_count(all.searches.len() + all.interactions.len())?;
        for (n, Object(body)) in all.searches.into_iter().enumerate() {
            sifted.search(n, search(body));
        }
        for (n, Object(body)) in all.interactions.into_iter().enumerate() {
            sifted.interaction(n, interaction(body));
        }
        return Ok(sifted);
    }
    let items: Items<'_> = parse(text)?;
    check_count(items.searches.len() + items.interactions.len())?;
    for (n, item) in items.searches.into_iter().enumerate() {
        sifted.search(n, parse(item.get()).and_then(search));
    }
    for (n, item) in items.interactions.into_iter().enumerate() {
        sifted.interaction(n, parse(item.get()).and_then(interaction));
    }
    Ok(sifted)
}

fn check_count(events: usize) -> Result<(), ApiError> {
    const MOST: usize = SearchIngest::MOST;
    if (1..=MOST).contains(&events) {
        return Ok(());
    }
    let message = format!("1 to {MOST} events are expected in searches and interactions together, not {events}");
    Err(ApiError::invalid_fields(vec![
        FieldError::new("searches", message.clone()),
        FieldError::new("interactions", message),
    ]))
}
