//! Puts the routes together, and the layer around them.

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::response::Redirect;
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;

use crate::error::{ApiError, Fault};
use crate::openapi::{add_refusals, base, written};
use crate::request::around;
use crate::routes::{self, acknowledge, docs, health, mailbox, metrics, search_page, templates, unsubscribe};
use crate::state::State;

/// The public listener: the API, its description, health; in `postrider dev` the mailbox and `/metrics` too.
pub fn router(state: State) -> Router {
    let mut described = OpenApiRouter::with_openapi(base()).merge(routes::all());
    if state.dev.is_some() {
        described = described.merge(mailbox::router()).merge(metrics::router());
    }
    let (mut router, mut document) = described.split_for_parts();
    add_refusals(&mut document);
    state.document.get_or_init(|| written(&document));
    router =
        router.merge(docs::pages()).merge(unsubscribe::pages()).merge(acknowledge::pages()).merge(search_page::pages());
    if state.dev.is_some() {
        router = router
            .merge(mailbox::pages())
            .merge(templates::pages())
            .route("/", get(|| async { Redirect::temporary("/mailbox") }));
    }
    finish(router, state)
}

/// The private listener: `/metrics` and the health of the process, and nothing else.
pub fn metrics_router(state: State) -> Router {
    finish(metrics::router().merge(health::router()).split_for_parts().0, state)
}

fn finish(router: Router<State>, state: State) -> Router {
    router
        .fallback(|| async { ApiError::not_found("There is nothing at this path; /docs shows what there is.") })
        .method_not_allowed_fallback(|request: Request| async move {
            ApiError::new(Fault::MethodNotAllowed, format!("{} is not possible here.", request.method()))
        })
        .layer(from_fn_with_state(state.clone(), around))
        .with_state(state)
}
