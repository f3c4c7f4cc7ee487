//! `/v1/bookings`: what happens to bookings comes in, and what is known of one can be looked at.

mod events;
mod read;
mod reminders;
mod snapshot;
mod text;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use text::is_id;

use crate::state::State;

/// The routes.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(events::create)).routes(routes!(read::show))
}
