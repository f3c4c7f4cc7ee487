//! The description of the API (OpenAPI 3.1), made from the handlers themselves: a route is registered by its description,
//! so that neither can be without the other.

use axum::body::Bytes;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::{Modify, OpenApi as _};

/// The description as it is served: written once, at start-up.
#[must_use]
pub fn written(document: &OpenApi) -> Bytes {
    Bytes::from(serde_json::to_vec(document).expect("a description is strings, lists and maps"))
}

/// What the document says beside the routes.
#[must_use]
pub fn base() -> OpenApi {
    Base::openapi()
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Postrider",
        description = "Background jobs and notifications for a booking marketplace.\n\n\
            Every call needs `Authorization: Bearer <key>`; bodies are JSON in UTF-8, unknown fields are refused. Times \
            are RFC 3339, durations are seconds or texts such as `\"30s\"`, `\"5m\"`, `\"24h\"`. Errors are \
            `application/problem+json` (RFC 9457) and name the fields at fault. 429 and 503 carry `Retry-After`.",
        license(name = "MIT OR Apache-2.0"),
    ),
    tags(
        (name = "jobs", description = "Enqueue jobs and see what became of them"),
        (name = "queues", description = "How full they are; stop and start them"),
        (name = "bookings", description = "What happens to bookings"),
        (name = "deliveries", description = "What became of every mail"),
        (name = "domains", description = "Whether mail of the senders' domains authenticates"),
        (name = "emails", description = "Mail of your own; `/emails` in the shapes of Resend"),
        (name = "suppressions", description = "Who must not be written to"),
        (name = "inbound", description = "Bounces and complaints that came back"),
        (name = "people", description = "What is kept of a person, and taking it out"),
        (name = "schedules", description = "What is done by itself, when, and what became of it"),
        (name = "health", description = "For probes"),
        (name = "debug", description = "For trying and testing"),
    ),
    modifiers(&BearerKey),
)]
struct Base;

/// Every call needs a key, unless its description says otherwise.
struct BearerKey;

impl Modify for BearerKey {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A key made by `postrider keys create`. In `postrider dev`: dev"))
            .build();
        document.components.get_or_insert_default().add_security_scheme("key", SecurityScheme::Http(scheme));
        document.security = Some(vec![SecurityRequirement::new("key", Vec::<String>::new())]);
    }
}
