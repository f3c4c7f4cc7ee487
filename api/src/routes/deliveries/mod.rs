//! `/v1/deliveries`: what became of every mail, attempt by attempt, and the ways out for one that is stuck.

mod act;
mod read;
mod view;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::State;

pub use view::{DeliverySummary, DeliveryView};

/// The routes.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(read::list))
        .routes(routes!(read::show))
        .routes(routes!(act::resend))
        .routes(routes!(act::cancel))
        .routes(routes!(act::resolve))
}
