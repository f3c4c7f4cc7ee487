//! `/v1/search/…`: searches as they are reported, and what was counted of them.
//!
//! 1. `events`: a batch comes in; `reported` and `interaction` check an event each, `words` what people typed.
//! 2. `metrics`, `queries`: the counts, as JSON or, by `csv`, as a table. `span`: from when to when.
//! 3. `subjects`: what is kept of somebody's searches, and taking it out.

mod csv;
mod events;
mod interaction;
mod metrics;
mod queries;
mod reported;
mod span;
mod subjects;
mod words;

pub use span::group;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::State;

/// The routes.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(events::create))
        .routes(routes!(metrics::metrics))
        .routes(routes!(queries::queries))
        .routes(routes!(subjects::erase))
        .routes(routes!(subjects::export))
}
