//! `/acknowledge/{token}`: the link in each message about incidents, for whoever takes care of them, on whatever screen.
//!
//! The token names the message and proves that we made it; no key is needed. Looking (GET) changes nothing, since mail
//! programs and chats follow links to check them. Acting (POST) takes on what is open of what the message told.

use axum::Router;
use axum::body::Body;
use axum::extract::State as Shared;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::routing::get;
use secrets::LinkError;
use store::{Channel, Incident, IncidentState, Notification, StoreError};
use uuid::Uuid;
use worker::alerts::{Deed, Handled, link};

use crate::body::Form;
use crate::pages::acknowledge::{Shown, page};
use crate::query::Path;
use crate::state::State;

const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// Incidents of a message.
const MOST: u32 = 10_000;
/// The longest name that somebody gives, in characters.
const LONGEST_NAME: usize = 80;

/// The page. It is for people, so it is not part of the API's description.
pub fn pages() -> Router<State> {
    Router::new().route("/acknowledge/{token}", get(show).post(act))
}

async fn show(Shared(state): Shared<State>, Path(token): Path<String>) -> Response<Body> {
    match told(&state, &token).await {
        Ok(Ok((message, incidents))) => answer(&Shown::Ask {
            incidents: &incidents,
            asks_name: message.target.channel != Channel::Email,
            now: state.clock.now(),
        }),
        Ok(Err(error)) => answer(&refused(error)),
        Err(e) => away(&e),
    }
}

async fn act(Shared(state): Shared<State>, Path(token): Path<String>, Form(form): Form) -> Response<Body> {
    let (message, incidents) = match told(&state, &token).await {
        Ok(Ok(told)) => told,
        Ok(Err(error)) => return answer(&refused(error)),
        Err(e) => return away(&e),
    };
    let open: Vec<Uuid> = incidents.iter().filter(|i| i.state == IncidentState::Open).map(|i| i.id).collect();
    if open.is_empty() {
        return answer(&Shown::Ask { incidents: &incidents, asks_name: false, now: state.clock.now() });
    }
    let by = who(&message, &form);
    let handled = match state.alerts.handle(&open, Deed::Acknowledge, &by, None, state.clock.now()).await {
        Ok(handled) => handled,
        Err(e) => return away(&e),
    };
    let mut now_acknowledged = handled.into_iter();
    let incidents: Vec<Incident> = incidents
        .into_iter()
        .map(|incident| match incident.state == IncidentState::Open {
            false => incident,
            true => match now_acknowledged.next() {
                Some(Handled::Done(now) | Handled::Over(now)) => *now,
                Some(Handled::Missing) | None => incident,
            },
        })
        .collect();
    answer(&Shown::Done { incidents: &incidents, now: state.clock.now() })
}

/// The message whose link this is, and what it told; or why the link does nothing.
async fn told(state: &State, token: &str) -> Result<Result<(Notification, Vec<Incident>), LinkError>, StoreError> {
    let Some(ring) = &state.secrets else { return Ok(Err(LinkError::Invalid)) };
    let id = match link::read(ring, token, state.clock.now()) {
        Ok(id) => id,
        Err(error) => return Ok(Err(error)),
    };
    // A message that is gone was taken out because it is old.
    let Some(message) = state.store.get_notification(id).await? else { return Ok(Err(LinkError::Expired)) };
    let incidents = state.store.notified_incidents(id, MOST).await?;
    Ok(Ok((message, incidents.into_iter().map(|(incident, _)| incident).collect())))
}

/// Who takes it on: whom the mail went to, or who gives a name.
fn who(message: &Notification, form: &[(String, String)]) -> String {
    let given = form.iter().find(|(field, _)| field == "name").map(|(_, name)| name.trim());
    let plain = given
        .filter(|name| !name.is_empty() && name.chars().count() <= LONGEST_NAME && !name.chars().any(char::is_control));
    match (message.target.channel, plain) {
        (Channel::Email, _) => message.target.name.clone(),
        (_, Some(name)) => format!("{name} (by the link in {})", message.receiver),
        (_, None) => format!("the link in {}", message.receiver),
    }
}

fn refused(error: LinkError) -> Shown<'static> {
    match error {
        LinkError::Expired => Shown::Expired,
        _ => Shown::Invalid,
    }
}

fn away(error: &StoreError) -> Response<Body> {
    tracing::warn!(%error, "an acknowledge page could not be answered");
    answer(&Shown::Away)
}

fn answer(shown: &Shown<'_>) -> Response<Body> {
    let mut response = Response::new(Body::from(page(shown)));
    *response.status_mut() = match shown {
        Shown::Ask { .. } | Shown::Done { .. } => StatusCode::OK,
        Shown::Invalid => StatusCode::NOT_FOUND,
        Shown::Expired => StatusCode::GONE,
        Shown::Away => StatusCode::SERVICE_UNAVAILABLE,
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
