//! The same in the shapes of Resend, so that a program which uses its SDK only changes the base URL.
//!
//! `POST /emails`, `POST /emails/batch`, `GET /emails/{id}`, `POST /emails/{id}/cancel`. Fields and answers are theirs;
//! the keys are ours (`emails:write`), `from` is one of our senders, and a template's id is the name of one of ours. A
//! refusal is our problem document with their three members (`statusCode`, `name`, `message`) beside it.

mod refusal;
mod request;
mod routes;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::State;

/// The routes.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(routes::send))
        .routes(routes!(routes::send_many))
        .routes(routes!(routes::show))
        .routes(routes!(routes::cancel))
}
