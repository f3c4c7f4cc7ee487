//! `/v1/jobs`: enqueue one or many, look at them, call them off, try them again.

mod act;
mod batch;
mod create;
mod read;
mod request;
pub(crate) mod view;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::State;

/// The routes.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(create::create, read::list))
        .routes(routes!(batch::create_many))
        .routes(routes!(read::show))
        .routes(routes!(act::cancel))
        .routes(routes!(act::retry))
}
