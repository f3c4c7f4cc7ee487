//! Mail that callers give us to send: `/v1/emails`, and `/emails` in the shapes of Resend, whose SDK then only needs another
//! base URL.
//!
//! 1. Either shape is read into one [`order::Order`] and checked there, every field by its name.
//! 2. What it says is sealed; a row and a delivery for each recipient are written together, under the idempotency key
//!    (`accept`). From here on it cannot be lost or doubled.
//! 3. Each delivery is enqueued, for now or for `send_at`.

mod accept;
mod attachment;
mod body;
mod cancel;
mod create;
mod order;
mod read;
mod resend;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::State;

/// The routes.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(create::create))
        .routes(routes!(read::show))
        .routes(routes!(cancel::cancel))
        .merge(resend::router())
}
