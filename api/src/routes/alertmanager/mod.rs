//! `/api/v2/`: the shapes of Alertmanager's API, so that a Prometheus server sends its alerts here and `amtool` works.
//!
//! 1. Alerts come in as Prometheus sends them (`post`, `postable`), and are incidents like all others.
//! 2. What goes on is shown as Alertmanager shows it, with what mutes it and who is told (`look`, `alerts`, `groups`).
//! 3. Silences are those of `/v1/silences` (`silences`).
//! 4. `status` tells the routes in the form of Alertmanager's configuration, for `amtool config routes`.
//! 5. A refusal is a JSON string, as those clients expect it (`refusal`); unknown fields and parameters are passed over, as
//!    there.
//!
//! Names of fields are theirs, in camel case. The key is ours, as everywhere: `alerts:write`.

mod alerts;
mod groups;
mod look;
mod post;
mod postable;
mod query;
mod refusal;
mod silences;
mod status;

use axum::middleware::from_fn;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::State;

/// The routes.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(alerts::list, post::post))
        .routes(routes!(groups::list))
        .routes(routes!(silences::list, silences::put))
        .routes(routes!(silences::show, silences::end))
        .routes(routes!(status::status))
        .routes(routes!(status::receivers))
        .routes(routes!(status::healthy))
        .routes(routes!(status::ready))
        .layer(from_fn(refusal::as_text))
}
