//! The routes, one file or folder an area.

mod bookings;
mod debug;
mod deliveries;
pub(crate) mod docs;
mod domains;
pub(crate) mod health;
mod jobs;
pub(crate) mod mailbox;
pub(crate) mod metrics;
mod queues;
pub(crate) mod templates;

use utoipa_axum::router::OpenApiRouter;

use crate::state::State;

/// All documented routes of every role.
pub fn all() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .merge(jobs::router())
        .merge(queues::router())
        .merge(bookings::router())
        .merge(deliveries::router())
        .merge(domains::router())
        .merge(debug::router())
        .merge(health::router())
        .merge(docs::router())
}
