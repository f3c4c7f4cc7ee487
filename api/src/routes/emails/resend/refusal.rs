//! A refusal that both our callers and Resend's SDK understand.

use axum::body::Body;
use axum::http::Response;
use axum::response::IntoResponse;
use serde::Serialize;

use crate::error::{ApiError, Fault, Problem};
use crate::idempotency;

/// A refusal in either shape at once.
#[derive(Debug)]
pub struct Refusal(ApiError);

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

/// RFC 9457 §3.2 lets a problem have further members.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Both<'a> {
    #[serde(flatten)]
    problem: &'a Problem,
    status_code: u16,
    name: &'static str,
    message: &'a str,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        let name = match self.0.fault() {
            Fault::Unauthorized => "invalid_api_key",
            Fault::Forbidden => "restricted_api_key",
            Fault::NotFound => "not_found",
            Fault::MethodNotAllowed => "method_not_allowed",
            Fault::Conflict if self.0.is_about(idempotency::HEADER) => "invalid_idempotent_request",
            Fault::TooMany => "rate_limit_exceeded",
            Fault::Internal => "internal_server_error",
            Fault::Unavailable | Fault::Slow => "application_error",
            _ => "validation_error",
        };
        let problem = self.0.clone().problem();
        let both = Both { status_code: problem.status, name, message: &problem.detail, problem: &problem };
        let body = serde_json::to_vec(&both).expect("a problem is strings and numbers");
        // Status and headers stay as they are.
        let (mut head, _) = self.0.into_response().into_parts();
        head.headers.remove(axum::http::header::CONTENT_LENGTH);
        Response::from_parts(head, Body::from(body))
    }
}
