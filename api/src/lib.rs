//! The HTTP API: it checks what comes in, makes sure that it cannot be lost, and answers. The work is done elsewhere.
//!
//! A request's walk through it:
//! 1. [`serve`] accepts it, [`request`] gives it an id, a span and a time limit.
//! 2. The handler's signature asks for what it needs, in this order: a key with a scope ([`auth`], [`limits`]), headers,
//!    then the body ([`body`]). Whatever is refused on the way is an [`error::ApiError`]: a problem that names the field.
//! 3. Validate; write the intent into the store, where a person would miss it; enqueue ([`enqueue`]); answer 202.
//!
//! [`openapi`] is made from the same handlers. In `postrider dev` there is a mailbox ([`pages`]) beside it.

pub mod auth;
pub mod body;
pub mod enqueue;
pub mod error;
pub mod exact;
pub mod idempotency;
pub mod limits;
pub mod list;
pub mod object;
pub mod openapi;
pub mod pages;
mod plain;
pub mod query;
pub mod request;
mod rfc3339;
mod router;
mod routes;
mod serve;
mod state;
pub mod trace_context;
pub mod unread;

/// Heartbeats as they are shown: the command line shows the same.
pub mod heartbeats {
    pub use crate::routes::heartbeats::HeartbeatView;
}

/// Jobs as they are shown: the command line shows the same.
pub mod jobs {
    pub use crate::routes::jobs::view::{JobSummary, JobView};
}

/// Queues as they are shown: the command line shows the same.
pub mod queues {
    pub use crate::routes::queues::QueueView;
}

/// Schedules as they are shown: the command line shows the same.
pub mod schedules {
    pub use crate::routes::schedules::view::{Asked, BackfillView, CalledOff, FireView, ScheduleView, TickView};
}

/// Who would be told of an alert, as it is shown.
pub mod alert_route {
    pub use crate::routes::alert_route::{RouteView, Ways};
}

/// Silences as they are shown.
pub mod silences {
    pub use crate::routes::silences::SilenceView;
}

pub use limits::Rate;
pub use router::{metrics_router, router};
pub use routes::deliveries::{DeliverySummary, DeliveryView};
pub use routes::incidents::{IncidentDetail, IncidentView};
pub use serve::serve;
pub use state::{Dev, Parts, Settings, State};
