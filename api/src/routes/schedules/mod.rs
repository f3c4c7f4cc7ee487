//! `/v1/schedules`: what is done by itself, when, and what became of it.

mod act;
mod read;
mod request;
pub mod view;
mod write;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::ApiError;
use crate::state::State;

/// The routes.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(write::create, read::list))
        .routes(routes!(read::preview))
        .routes(routes!(read::show, write::change, write::delete))
        .routes(routes!(read::next))
        .routes(routes!(read::ticks))
        .routes(routes!(act::pause))
        .routes(routes!(act::resume))
        .routes(routes!(act::run))
        .routes(routes!(act::backfill))
        .routes(routes!(act::cancel_waiting))
}

fn no_such() -> ApiError {
    ApiError::not_found("There is no schedule of this name.")
}

fn of_config() -> ApiError {
    ApiError::conflict(
        "The configuration defines this schedule: change [schedules.NAME] there. It can be paused and run here.",
    )
}
