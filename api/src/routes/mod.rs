//! The routes, one file or folder an area.

pub(crate) mod acknowledge;
pub(crate) mod alert_route;
mod alertmanager;
mod bookings;
mod debug;
pub(crate) mod deliveries;
pub(crate) mod docs;
mod domains;
mod emails;
pub(crate) mod health;
pub(crate) mod heartbeats;
mod inbound;
pub(crate) mod incidents;
pub(crate) mod jobs;
pub(crate) mod mailbox;
pub(crate) mod metrics;
mod people;
pub(crate) mod queues;
pub(crate) mod schedules;
mod search;
pub(crate) mod search_page;
pub(crate) mod silences;
mod suppressions;
pub(crate) mod templates;
pub(crate) mod unsubscribe;

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
        .merge(emails::router())
        .merge(suppressions::router())
        .merge(inbound::router())
        .merge(people::router())
        .merge(schedules::router())
        .merge(search::router())
        .merge(heartbeats::router())
        .merge(incidents::router())
        .merge(silences::router())
        .merge(alert_route::router())
        .merge(alertmanager::router())
        .merge(debug::router())
        .merge(health::router())
        .merge(docs::router())
}
