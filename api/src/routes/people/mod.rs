//! `/v1/people/{email}`: what is kept of a person, and taking it out.

mod erase;
mod export;

use mail::EmailAddress;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::ApiError;
use crate::state::State;

/// The routes.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(erase::erase)).routes(routes!(export::export))
}

fn address(text: &str) -> Result<EmailAddress, ApiError> {
    text.parse().map_err(|e| ApiError::invalid("email", format!("{e}")))
}
