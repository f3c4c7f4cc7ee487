//! `/mailbox/templates`, in `postrider dev` only: what every template looks like, filled with its sample.
//!
//! The HTML of a template is shown as a mail's is: from a route of its own, under a policy that lets it load, run and reach
//! nothing, in a sandboxed frame. Templates of a folder of one's own are foreign input too.

use axum::Router;
use axum::extract::State as Shared;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use mail::{Locale, RenderError};

use super::mailbox::{MAIL_POLICY, PAGE_POLICY, dev, no_store, typed};
use crate::error::ApiError;
use crate::pages::templates::{Shown, View, page};
use crate::query::{Params, Path};
use crate::state::State;

/// The page and what its frame shows.
pub fn pages() -> Router<State> {
    Router::new().route("/mailbox/templates", get(templates)).route("/mailbox/templates/{name}/html", get(html))
}

/// The page. `template` is what is open, `locale` in which language, `view` how.
async fn templates(Shared(state): Shared<State>, mut params: Params) -> Result<Response, ApiError> {
    let renderer = &dev(&state)?.templates;
    let view = params.parsed::<View>("view")?.unwrap_or_default();
    let locale = params.parsed::<Locale>("locale")?.unwrap_or_default();
    let wanted = params.text("template")?;
    params.end()?;
    let names = renderer.names();
    let name = wanted.as_deref().or(names.first().copied()).unwrap_or_default();
    let locale = renderer.spoken(name, &locale).map_err(|_| unknown())?;
    let content = renderer.preview(name, &locale).map_err(|error| broken(&error))?;
    let page = page(renderer, &Shown { name, locale, content }, wanted.is_some(), view);
    let policy = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    Ok((StatusCode::OK, typed("text/html; charset=utf-8"), policy, no_store(), page).into_response())
}

/// A template's HTML, its pictures as `data:`.
async fn html(
    Shared(state): Shared<State>,
    Path(name): Path<String>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let renderer = &dev(&state)?.templates;
    let locale = params.parsed::<Locale>("locale")?.unwrap_or_default();
    params.end()?;
    let shown = renderer.preview(&name, &locale).map_err(|error| match error {
        RenderError::UnknownTemplate(_) => unknown(),
        error => broken(&error),
    })?;
    let policy = [(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(MAIL_POLICY))];
    Ok((typed("text/html; charset=utf-8"), policy, no_store(), shown.html).into_response())
}

fn unknown() -> ApiError {
    ApiError::not_found("There is no template of this name.")
}

/// A template of one's own that does not fit its own sample: `postrider templates check` tells where.
fn broken(error: &RenderError) -> ApiError {
    ApiError::not_found(format!("This template cannot be shown: {error}"))
}
