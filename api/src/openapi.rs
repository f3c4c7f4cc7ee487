//! The description of the API (OpenAPI 3.1), made from the handlers themselves: a route is registered by its description,
//! so that neither can be without the other.
//!
//! What any call may be answered with (no key, too many calls, something away, a body that does not read) is added to all of
//! them by [`add_refusals`], as far as it can happen to each.

use axum::body::Bytes;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, Header, ObjectBuilder, OpenApi, Ref, RefOr};
use utoipa::{Modify, OpenApi as _};

/// The description as it is served: written once, at start-up.
#[must_use]
pub fn written(document: &OpenApi) -> Bytes {
    Bytes::from(serde_json::to_vec(document).expect("a description is strings, lists and maps"))
}

/// Adds to each call the refusals that do not depend on what it does.
pub fn add_refusals(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        let operations =
            [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten();
        for operation in operations {
            for (status, why) in refusals(operation) {
                let said = operation.responses.responses.entry(status.to_owned());
                said.or_insert_with(|| refusal(status, why).into());
            }
        }
    }
}

/// What can happen to a call before its route is asked, and when something behind it is away.
fn refusals(operation: &Operation) -> Vec<(&'static str, &'static str)> {
    // No requirement: the default holds, which is a key. An empty one: none.
    let is_public =
        operation.security.as_ref().is_some_and(|all| all.iter().any(|one| *one == SecurityRequirement::default()));
    let mut all = Vec::new();
    if !is_public {
        all.push(("401", "No key, or one that is not known"));
        all.push(("403", "The key lacks a scope that this call needs"));
        all.push(("429", "Too many calls with this key: come again after `Retry-After`"));
        all.push(("503", "The queue or the store is away: come again after `Retry-After`"));
    }
    if let Some(RefOr::T(body)) = &operation.request_body {
        all.push(("400", "The body cannot be read, or broke off"));
        all.push(("413", "The body is too large"));
        all.push(("422", "A field makes no sense; `errors` names them all"));
        if body.content.contains_key("application/json") {
            all.push(("415", "The body is not said to be JSON"));
        }
    }
    let in_query =
        |parameter: &RefOr<Parameter>| matches!(parameter, RefOr::T(p) if p.parameter_in == ParameterIn::Query);
    if operation.parameters.iter().flatten().any(in_query) {
        all.push(("422", "A parameter makes no sense, or is not known"));
    }
    all
}

fn refusal(status: &str, why: &str) -> Response {
    let problem = Content::new(Some(Ref::from_schema_name("Problem")));
    let mut response = ResponseBuilder::new().description(why).content("application/problem+json", problem);
    if matches!(status, "429" | "503") {
        let seconds = ObjectBuilder::new().schema_type(Type::Integer).build();
        let mut header = Header::new(seconds);
        header.description = Some("Seconds".to_owned());
        response = response.header("Retry-After", header);
    }
    response.build()
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
        (name = "alerts", description = "What is wrong, who is told of it, and what is silenced"),
        (name = "alertmanager", description = "The same in the shapes of Alertmanager's API, for Prometheus and amtool"),
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
