//! `/v1/alerts` and `/v1/incidents`: what is wrong comes in, is looked at, taken on and ended.

mod accept;
mod act;
mod read;
mod view;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::ApiError;
use crate::state::State;

pub use view::{IncidentDetail, IncidentView};

/// The routes.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(accept::accept))
        .routes(routes!(read::list))
        .routes(routes!(read::show))
        .routes(routes!(act::acknowledge))
        .routes(routes!(act::resolve))
        .routes(routes!(act::comment))
}

fn no_such() -> ApiError {
    ApiError::not_found("There is no incident of this id.")
}
